"""Which way to read suits what, and what the names stand for."""

from dataclasses import asdict

import pytest
import torch

from latentcomp.common.errors import TeacherError
from latentcomp.extract.teachers.reading_mode import (
    COMPILING_PAYS,
    PADDED,
    ReadingMode,
    choose_reading_mode,
    mode_name,
    reading_mode,
    recorded_mode,
)
from latentcomp.models.files import locate_model

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("requested", "device", "dtype", "tokens", "chosen"),
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
def test_what_is_chosen(requested, device, dtype, tokens, chosen):
    files = locate_model("lab")
    assert choose_reading_mode(requested, files, device, dtype, tokens) == chosen


def test_attention_that_cannot_be_exchanged_is_not_packed(monkeypatch):
    monkeypatch.setattr("latentcomp.extract.teachers.reading_mode.can_pack", lambda config: False)
    files = locate_model("lab")
    assert choose_reading_mode("auto", files, GPU, "bfloat16", COMPILING_PAYS) == "padded"
    with pytest.raises(TeacherError, match="give --reading padded"):
        choose_reading_mode("tuned", files, GPU, "bfloat16", 1)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("padded", PADDED),
        ("packed", ReadingMode(packed=True, kernel="flash")),
        ("compiled", ReadingMode(packed=True, kernel="flash", compiled=True)),
        ("tuned", ReadingMode(packed=True, kernel="flash", compiled=True, deterministic=False)),
    ],
)
def test_what_a_name_stands_for(name, mode):
    assert reading_mode(name, GPU, "bfloat16") == mode
    assert mode_name(mode) == name


@pytest.mark.parametrize(("device", "dtype"), [(CPU, "bfloat16"), (GPU, "float32")])
def test_where_flash_attention_does_not_run_each_document_attends_alone(device, dtype):
    assert reading_mode("packed", device, dtype).kernel == "each"


@pytest.mark.parametrize("name", ["padded", "packed", "compiled", "tuned"])
def test_a_mode_is_read_back_from_a_record(name):
    mode = reading_mode(name, GPU, "bfloat16")
    assert recorded_mode(asdict(mode)) == mode


@pytest.mark.parametrize(
    ("compiled", "steady", "name"),
    [("no", True, "packed"), ("dynamic", True, "compiled"), ("static", False, "tuned")],
)
def test_records_of_the_earlier_form(compiled, steady, name):
    fields = {"packed": True, "kernel": "flash", "compiled": compiled, "row_tokens": None}
    assert mode_name(recorded_mode(fields | {"steady": steady})) == name
