"""Who computes the answers of an evaluation: the project's own loop on transformers, or vLLM."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from ..common.errors import CheckpointError
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..models.vllm_versions import installed_vllm
from ..reasoner.context import longest_prompt
from ..reasoner.generate import Answerer, greedy_answers
from ..reasoner.vllm_reader import ADAPTED, OTHER_POSITIONS, VllmReader
from .subjects import Subject

_ROOM: Final = 256
"""Prompts of vLLM may be as long as a multiple of this: chunks round numbers of latents up."""


@contextmanager
def _own(lm: CausalLM, documents: Sequence[Document], limit: int) -> Iterator[Answerer]:
    del lm, documents, limit
    yield greedy_answers


@contextmanager
def _vllm(lm: CausalLM, documents: Sequence[Document], limit: int) -> Iterator[Answerer]:
    needed = longest_prompt(lm, documents) + limit
    reader = VllmReader(lm, min(lm.context_tokens, (needed // _ROOM + 1) * _ROOM))
    try:
        reader.check(documents)
        yield reader
    finally:
        reader.close()


_BACKENDS: Final[
    dict[str, Callable[[CausalLM, Sequence[Document], int], AbstractContextManager[Answerer]]]
] = {"transformers": _own, "vllm": _vllm}


def answering(
    backend: str, lm: CausalLM, documents: Sequence[Document], limit: int
) -> AbstractContextManager[Answerer]:
    """Who answers, for as long as it is needed.

    Args:
        backend: `transformers` or `vllm`.
        lm: the reasoner.
        documents: that it will be asked about.
        limit: most tokens of an answer.

    Raises:
        TeacherError: vLLM is missing, does not start, or answers otherwise than transformers.
    """
    return _BACKENDS[backend](lm, documents, limit)


def check_positions(backend: str, subjects: Sequence[Subject]) -> None:
    """Refuse compressors whose latents vLLM would put in other places, or read otherwise.

    Raises:
        CheckpointError: names the first of them, the reason and what works.
    """
    if backend != "vllm":
        return
    for subject in subjects:
        if subject.state.spec.config.positions != "sequential":
            raise CheckpointError(f"--backend vllm: {subject.name}: {OTHER_POSITIONS}")
        if subject.state.spec.config.reader_rank:
            raise CheckpointError(f"--backend vllm: {subject.name}: {ADAPTED}")


def backend_note(backend: str) -> str:
    """One line where others than the project's own loop answered; else empty."""
    if backend != "vllm":
        return ""
    vllm = installed_vllm()
    return (
        f"answered by vLLM {vllm.version if vllm else ''} (--backend vllm); states, ranks and "
        "summaries are of transformers"
    )
