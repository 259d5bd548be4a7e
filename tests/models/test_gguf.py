"""GGUF files become folders of transformers: the same numbers and tokens, or one line why not."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from latentcomp.common.errors import TeacherError
from latentcomp.models.gguf import convert
from latentcomp.models.gguf.convert import convert_gguf
from latentcomp.models.loading import load_causal_lm

from . import tiny_gguf

gguf = pytest.importorskip("gguf")

TEXTS = (
    tiny_gguf.TEXT,
    "Ana's box:  4711,\n\n12 of 30\t½ and ² and ٣",
    "Grüße, 日本語 🙂 don't\r\n  stop ",
    "",
)


@pytest.fixture(scope="module")
def model():
    return tiny_gguf.tiny_llama()


@pytest.fixture
def made(tmp_path):
    """Convert a file into a folder of its own."""

    def convert_file(file):
        folder = tmp_path / "made"
        folder.mkdir()
        convert_gguf(file, folder, {"name": "tiny"})
        return folder

    return convert_file


@pytest.mark.parametrize("tied", [True, False])
def test_an_exact_file_gives_the_same_weights_and_states(tmp_path, made, tied):
    model = tiny_gguf.tiny_llama(tied=tied)
    folder = made(tiny_gguf.write_gguf(tmp_path / "m.gguf", model))
    expected = dict(model.state_dict())
    if tied:
        del expected["lm_head.weight"]
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    lm = load_causal_lm(str(folder))
    ids = torch.arange(40)[None] * 7
    assert torch.equal(lm.model(ids).logits, model(ids).logits)


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0", "F16", "BF16"])
def test_quantised_numbers_are_what_the_package_makes_of_them(tmp_path, made, model, kind):
    folder = made(tiny_gguf.write_gguf(tmp_path / "m.gguf", model, kind=kind))
    weights = load_file(folder / "model.safetensors")
    raw = gguf.GGMLQuantizationType[kind]
    for name, exact in model.state_dict().items():
        if exact.ndim == 1 or name == "lm_head.weight":
            continue
        # Rows are quantised one by one, so their order does not matter.
        expected = gguf.dequantize(gguf.quantize(exact.numpy(), raw), raw)
        assert np.array_equal(weights[name].numpy(), expected), name
    record = json.loads((folder / "latentcomp.json").read_bytes())["model"]
    assert record["quantised"] == (kind if kind.startswith("Q") else None)


def test_a_large_model_has_several_files_of_weights(tmp_path, made, model, monkeypatch):
    monkeypatch.setattr(convert, "FILE_BYTES", 100_000)
    folder = made(tiny_gguf.write_gguf(tmp_path / "m.gguf", model))
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    again = load_causal_lm(str(folder)).model.state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_the_tokenizer_cuts_text_as_the_one_that_was_written(tmp_path, made, model):
    lm = load_causal_lm(str(made(tiny_gguf.write_gguf(tmp_path / "m.gguf", model))))
    own = tiny_gguf.tiny_tokenizer()
    for text in TEXTS:
        assert lm.encode(text) == own.encode(text, add_special_tokens=False).ids
        assert lm.tokenizer.decode(lm.encode(text)) == text
    assert lm.encode("a<|im_end|>")[-1] == lm.eos_token_id == 2
    assert 2 not in lm.encode_text("a<|im_end|>")
    assert lm.prompt.head == "<|im_start|>"


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "of another architecture": (
        {"fields": {"general.architecture": "qwen2"}},
        "its architecture is 'qwen2'",
    ),
    "one of several parts": ({"fields": {"split.count": 3}}, "one of 3 parts"),
    "scaled rotation": ({"fields": {"llama.rope.scaling.type": "linear"}}, "a variant"),
    "experts": ({"fields": {"llama.expert_count": 8}}, "llama.expert_count is 8"),
    "no width": ({"fields": {"llama.embedding_length": None}}, "embedding_length is None"),
    "no tokenizer": ({"tokenizer": False}, "holds no tokenizer"),
    "another tokenizer": ({"fields": {"tokenizer.ggml.model": "llama"}}, "is 'llama' cut as"),
    "another way of cutting": ({"fields": {"tokenizer.ggml.pre": "qwen2"}}, "cut as 'qwen2'"),
    "no end token": ({"fields": {"tokenizer.ggml.eos_token_id": None}}, "ends no text"),
    "an end token out of range": ({"fields": {"tokenizer.ggml.eos_token_id": 999}}, "is 999"),
    "a tensor is missing": ({"tensors": {"blk.1.ffn_up.weight": None}}, "ffn_up.weight is missing"),
    "a tensor of another shape": (
        {"tensors": {"blk.1.ffn_up.weight": np.zeros((32, 64))}},
        r"has shape \(32, 64\), and \(96, 64\) follows",
    ),
    "a tensor too many": ({"tensors": {"rope_freqs.weight": np.ones(8)}}, "first: rope_freqs"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_converted_is_refused_in_a_line(tmp_path, made, model, fault):
    change, message = FAULTS[fault]
    file = tiny_gguf.write_gguf(tmp_path / "m.gguf", model, **change)
    with pytest.raises(TeacherError, match=message) as caught:
        made(file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)
    assert list((tmp_path / "made").iterdir()) == []


def test_a_quantisation_without_code_is_refused(tmp_path, made, model, monkeypatch):
    file = tiny_gguf.write_gguf(tmp_path / "m.gguf", model, kind="Q8_0")

    def unknown(data, qtype):
        raise NotImplementedError(f"no code for {qtype}")

    monkeypatch.setattr(gguf, "dequantize", unknown)
    with pytest.raises(TeacherError, match="quantised as Q8_0, which"):
        made(file)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.6, 0.999])
def test_a_file_cut_short_is_refused(tmp_path, made, model, share):
    file = tiny_gguf.write_gguf(tmp_path / "m.gguf", model)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TeacherError, match="truncated or damaged|no GGUF file"):
        made(file)
