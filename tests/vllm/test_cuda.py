"""What only a GPU has: copies that go on while the next batch is computed."""

import threading

import pytest

from latentcomp.extract.teachers.vllm import engine

from .conftest import Bench
from .parity import documents_of, errors

pytestmark = [pytest.mark.vllm, pytest.mark.gpu]

BLOCKS = 64
"""Of the cache, so that forty batches of 15 use each of them many times."""
OTHER = 0.1
"""Relative distance beyond any rounding of bfloat16 (2^-8 a sum), far below that of the state of
another token, which is above 1."""


@pytest.fixture
def bench(models):
    return Bench(models["dense-bf16"], dtype="bfloat16", device="cuda")


def test_states_are_copied_into_pinned_memory(bench):
    (document,) = documents_of(100)
    layers = bench.every_layer[:2]
    with bench.vllm([document], layers, eager=True) as teacher:
        (states,) = teacher.states([document], layers)
    assert states.is_pinned()
    assert states.shape == (100, 2, 64)


def test_nothing_is_written_over_before_it_is_released(bench, monkeypatch):
    """Many batches through a small cache, released late and by another thread."""
    right = engine.engine_arguments

    def small(*arguments):
        return right(*arguments) | {"num_gpu_blocks_override": BLOCKS}

    monkeypatch.setattr(engine, "engine_arguments", small)
    batches = [documents_of(120, 77, first=n) for n in range(40)]
    layers = bench.every_layer[1:3]
    room = {"held_tokens": 400, "held_documents": 4}
    with bench.vllm(batches[0], layers, eager=True, **room) as teacher:
        alone = [teacher.states([document], layers)[0] for batch in batches for document in batch]
        teacher.hold()
        actual = []
        for batch, states in zip(batches, teacher.stream(batches, layers), strict=True):
            actual += states
            threading.Timer(0.02, teacher.release, [batch]).start()
    for mine, theirs in zip(actual, alone, strict=True):
        assert errors(mine, theirs).max() < OTHER
