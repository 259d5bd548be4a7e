"""The arms of an evaluation. A new arm is one file beside this one and one row here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ...common.errors import LatentcompError
from ...corpus.records import Document
from ...reasoner.generate import Prefix
from ..bench import ArmInputs
from . import (
    controls,
    dense,
    latents,
    other_states,
    pooling,
    retrieval,
    summary,
    text,
    truncation,
)
from .names import REQUIRED_ARMS as REQUIRED_ARMS


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of giving a document to the reasoner."""

    name: str
    """As it stands in `answers.parquet`, in tables and in options."""
    label: str
    """What the reasoner reads, in a few words, for figures."""
    make: Callable[[ArmInputs], list[Prefix]]
    """The prefix of every document, in order."""
    required: bool = False
    """Whether every verdict rests on it."""
    optional: bool = False
    """Whether it is measured on request only, or where `wanted` says so."""
    wanted: Callable[[Sequence[Document]], bool] = lambda documents: False
    """Whether an optional arm says something new of these documents and is measured unasked."""
    reference: bool = False
    """Ceiling or floor: they define retention and have none."""
    equal_tokens: bool = False
    """Whether it is text with at most as many tokens as there are latents."""
    per_question: bool = False
    """Whether `make` gives a prefix for every question, not for every document."""


def _dated_apart(documents: Sequence[Document]) -> bool:
    return any(document.is_dated_apart for document in documents)


def _cut(name: str, label: str, make: Callable[[ArmInputs], list[Prefix]]) -> Arm:
    return Arm(name, label, make, optional=True, equal_tokens=True)


def _searched(name: str, label: str, make: Callable[[ArmInputs], list[Prefix]]) -> Arm:
    return Arm(name, label, make, optional=True, equal_tokens=True, per_question=True)


ARMS: Final[dict[str, Arm]] = {
    arm.name: arm
    for arm in (
        Arm("ceiling", "the full document", text.ceiling_arm, required=True, reference=True),
        Arm("floor", "no document", text.floor_arm, required=True, reference=True),
        Arm("compressed", "its latents", latents.compressed, required=True),
        Arm("shuffled", "another's latents", controls.shuffled, required=True),
        Arm("zero", "latents of zeros", controls.zero, required=True),
        Arm(
            "undated",
            "the text as it ships",
            text.undated_arm,
            optional=True,
            wanted=_dated_apart,
        ),
        Arm("gaussian", "random latents", controls.gaussian),
        Arm("other_text", "another's text", controls.other_text, optional=True),
        _cut("summary", "as many tokens", summary.summary),
        _cut("truncation", "its first tokens", truncation.truncation),
        _cut("truncation_middle", "its middle", truncation.truncation_middle),
        _cut("truncation_tail", "its last tokens", truncation.truncation_tail),
        _searched("bm25", "chunks by words", retrieval.bm25),
        _searched("dense", "chunks by states", dense.dense),
        _searched("newest", "newest match", retrieval.newest),
        _searched("oracle", "chunks that tell", retrieval.oracle),
        Arm("pooled_embeddings", "mean embeddings", pooling.pooled_embeddings, optional=True),
        Arm("pooled_states", "mean states", pooling.pooled_states, optional=True),
        Arm("random_states", "projected at random", pooling.random_states, optional=True),
        Arm("stale", "latents two thirds in", other_states.stale, optional=True),
        Arm("metadata", "latents of days alone", other_states.metadata, optional=True),
    )
}
"""By name, in the order in which they are shown."""

EVERY_ARM: Final = "all"
"""Requests all optional arms at once."""

REFERENCE_ARMS: Final = tuple(name for name, arm in ARMS.items() if arm.reference)

WHOLE_ARMS: Final = (*REFERENCE_ARMS, "undated", "other_text")
"""A whole document, its own or another's, or nothing: they know of no compressor and no ratio."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names in the order of the table; names it does not have come last, sorted."""
    present = set(names)
    return (*(name for name in ARMS if name in present), *sorted(present - ARMS.keys()))


def measurable_arms(arms: Sequence[str]) -> tuple[str, ...]:
    """Those that have a retention: none without ceiling and floor."""
    if not all(arm in arms for arm in REFERENCE_ARMS):
        return ()
    return tuple(arm for arm in arms if arm not in REFERENCE_ARMS)


def select_arms(requested: Iterable[str], documents: Sequence[Document] = ()) -> tuple[Arm, ...]:
    """The arms that always run, those requested and those that these documents call for.

    In the order of the table.

    Raises:
        LatentcompError: a requested arm does not exist.
    """
    names = set(requested)
    if EVERY_ARM in names:
        names = set(ARMS)
    if unknown := sorted(names - ARMS.keys()):
        known = ", ".join([*ARMS, EVERY_ARM])
        raise LatentcompError(f"there is no arm {unknown[0]!r}; the arms are {known}")
    return tuple(
        arm
        for arm in ARMS.values()
        if not arm.optional or arm.name in names or arm.wanted(documents)
    )
