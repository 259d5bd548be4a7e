"""Batches from worker processes: in order, and none under way when the processes end."""

import subprocess
import sys

import pytest
import torch

from latentcomp.lab.curriculum import Kind, Lesson
from latentcomp.lab.lessons import LessonBatches
from latentcomp.lab.loader import batches_of


@pytest.fixture(scope="module")
def data(tokenizer):
    return LessonBatches(tokenizer, [Lesson(Kind("lab", (7, 7), (1, 3), 300, share=2), 2)], 0, 0, 1)


def test_batches_come_in_order_until_the_block_is_left(data):
    with batches_of(data, 0) as batches:
        for step in range(3):
            given = next(batches)
            assert all(map(torch.equal, given.tensors(), data[step].tensors()))
    assert next(batches, None) is None


def test_a_fault_of_the_training_is_not_waited_on(data):
    with pytest.raises(FloatingPointError), batches_of(data, 0) as batches:
        next(batches)
        raise FloatingPointError
    assert next(batches) is not None, "nothing was drained"


TRAINING = """
from latentcomp.lab.curriculum import lessons_of
from latentcomp.lab.lessons import LessonBatches
from latentcomp.lab.loader import batches_of
from latentcomp.lab.tokenizer import build_tokenizer

if __name__ == "__main__":
    data = LessonBatches(build_tokenizer(), lessons_of("lab", "hints", 10_000), 0, 0, 1)
    with batches_of(data, 2) as batches:
        print(next(batches).ids.shape[1])
"""


@pytest.mark.slow
def test_worker_processes_end_without_a_word(tmp_path):
    """Ended while they still send, one in three times a worker aborts."""
    (tmp_path / "training.py").write_text(TRAINING)
    for _ in range(3):
        ran = subprocess.run(
            [sys.executable, tmp_path / "training.py"], capture_output=True, text=True, check=True
        )
        assert (ran.stdout, ran.stderr) == ("896\n", "")
