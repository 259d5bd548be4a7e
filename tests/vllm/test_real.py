"""A real pretrained model by vLLM: its stored states are those of plain transformers.

It runs where the user's cache holds the model (`latentcomp models get smollm2-135m`).
"""

import json
import os
from pathlib import Path

import pytest

from latentcomp.common.cache import CACHE
from latentcomp.models.cached import cached_folder
from latentcomp.tools import check_real

pytestmark = pytest.mark.vllm

NAME = "smollm2-135m"
OWN = os.environ.get(CACHE)
"""The user's, which other tests do not see."""
PAGES = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def model(monkeypatch):
    if OWN is not None:
        monkeypatch.setenv(CACHE, OWN)
    if cached_folder(NAME) is None:
        pytest.skip(f"run `latentcomp models get {NAME}`")
    return NAME


def test_what_vllm_stores_is_what_transformers_computes(model, tmp_path):
    texts = [part for page in sorted(PAGES.glob("*.md")) for part in page.read_text().split("\n\n")]
    corpus = tmp_path / "corpus.jsonl"
    short = [text for text in texts if 200 < len(text) < 1200][:4]
    lines = [
        json.dumps({"document_id": f"d{number}", "chunks": [{"text": text}]})
        for number, text in enumerate(short)
    ]
    corpus.write_text("\n".join(lines) + "\n")
    ways = check_real.check(model, corpus, tmp_path, check_real.VLLM)
    (layers,) = ways.values()
    assert set(layers) == {"-6", "-18", "-30"}
    assert check_real.worst(ways) < check_real.BOUND
    assert all(one["tokens"] > 100 for one in layers.values())
