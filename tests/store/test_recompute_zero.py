"""A token whose state is all zeros is compared as any other: a right store is right."""

from typing import Any

import pytest
import torch

from latentcomp.commands.store_verify import RecomputeRequest, recompute
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest
from latentcomp.store.write.writer import StoreWriter

from ..extract import tiny_models

ZERO = 7
"""Token whose embedding is zero, as that of padding is in many models."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model: Any = tiny_models.tiny_qwen3(6)
    with torch.no_grad():
        model.get_input_embeddings().weight[ZERO] = 0
    return tiny_models.save(model, tmp_path_factory.mktemp("teacher") / "zero")


DOCUMENTS = {
    "at the start": [ZERO, 20, 30, 40, 50, 60],
    "within": [20, ZERO, 30, ZERO, 40, 50],
    "most of it": [ZERO, ZERO, ZERO, ZERO, 30],
    "all of it": [ZERO, ZERO, ZERO],
    "one token": [ZERO],
}


def store_of(path, folder, ids, codec, spoil: Any = None):
    lm = load_causal_lm(str(folder))
    layers = [LayerRecord(blocks_completed=depth, post_norm=depth == 6) for depth in (0, 3, 6)]
    states, _ = TransformersTeacher(lm).states([ids, list(range(3, 60))], layers)
    made = Manifest(
        teacher=lm.identity, layers=tuple(layers), dtype="bfloat16", codec=codec,
        chunk_tokens=16, shard_tokens=32, corpus_sha256="c" * 64, code_version="1",
    )  # fmt: skip
    entries = [DocumentEntry("d0", ids, [0] * len(ids), (None,))]
    with StoreWriter(path, made, entries) as writer:
        writer.write(0, spoil(states.clone()) if spoil else states)
    return path


@pytest.mark.parametrize("codec", ["raw", "int8"])
@pytest.mark.parametrize("ids", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_right_store_is_right(tmp_path, folder, ids, codec):
    path = store_of(tmp_path / "store", folder, ids, codec)
    assert recompute(RecomputeRequest(path, 1, teacher=str(folder))).problems == ()


def test_a_zero_where_the_teacher_says_something_is_named(tmp_path, folder):
    """And something where the teacher says nothing."""
    for name, place in (("lost", 0), ("made up", 1)):

        def spoil(states, place=place):
            states[place] = 0 if place == 0 else 0.5
            return states

        path = store_of(tmp_path / name, folder, [20, ZERO, 30], "raw", spoil)
        problems = recompute(RecomputeRequest(path, 1, teacher=str(folder))).problems
        assert any("after 0 blocks" in problem for problem in problems), name
