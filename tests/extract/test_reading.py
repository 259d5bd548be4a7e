"""Which way to read suits what, and what the names stand for."""

import pytest
import torch

from latentcomp.common.errors import TeacherError
from latentcomp.extract.teachers.reading import (
    COMPILING_PAYS,
    PADDED,
    Reading,
    choose_reading,
    named_by,
    named_reading,
)
from latentcomp.models.files import locate_model

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "dtype", "tokens", "chosen"),
    [
        ("auto", CPU, "bfloat16", COMPILING_PAYS, "padded"),
        ("auto", GPU, "float32", COMPILING_PAYS, "padded"),
        ("auto", GPU, "bfloat16", COMPILING_PAYS - 1, "packed"),
        ("auto", GPU, "bfloat16", COMPILING_PAYS, "compiled"),
        ("padded", GPU, "bfloat16", COMPILING_PAYS, "padded"),
        ("tuned", GPU, "bfloat16", 1, "tuned"),
        ("compiled", CPU, "float32", 1, "compiled"),
    ],
)
def test_what_is_chosen(asked, device, dtype, tokens, chosen):
    files = locate_model("lab")
    assert choose_reading(asked, files, device, dtype, tokens) == chosen


def test_attention_that_cannot_be_exchanged_is_not_packed(monkeypatch):
    monkeypatch.setattr("latentcomp.extract.teachers.reading.can_pack", lambda config: False)
    files = locate_model("lab")
    assert choose_reading("auto", files, GPU, "bfloat16", COMPILING_PAYS) == "padded"
    with pytest.raises(TeacherError, match="give --reading padded"):
        choose_reading("tuned", files, GPU, "bfloat16", 1)


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("padded", PADDED),
        ("packed", Reading(packed=True, kernel="flash")),
        ("compiled", Reading(packed=True, kernel="flash", compiled="dynamic")),
        ("tuned", Reading(packed=True, kernel="flash", compiled="dynamic", steady=False)),
    ],
)
def test_what_a_name_stands_for(name, reading):
    assert named_reading(name, GPU, "bfloat16") == reading
    assert named_by(reading) == name


@pytest.mark.parametrize(("device", "dtype"), [(CPU, "bfloat16"), (GPU, "float32")])
def test_where_flash_attention_does_not_run_each_document_attends_alone(device, dtype):
    assert named_reading("packed", device, dtype).kernel == "each"
