"""Generation of one chronicle from a seed: world, text, questions, summary."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from ...common.errors import CorpusError
from ..records import Chunk, Document
from .names import SPLITS, Split
from .presets import Preset, preset
from .questions import Draft, draft_questions, to_question
from .render import chunk_texts
from .summary import NOTE_SEPARATOR, notes
from .world import Event, simulate

GENERATOR_VERSION = 3
"""Raised whenever the same seed would give another text."""


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A generated document with its question drafts and notes, for training the lab models."""

    document: Document
    drafts: tuple[tuple[str, Draft], ...]
    """(family, draft) of every question, in the order of `document.questions`."""
    notes: tuple[tuple[Event, str], ...]
    """What still holds at the end, newest first, as (event, note)."""


def chronicle(
    size: Preset,
    split: Split,
    seed: int,
    index: int,
    *,
    chunks: int | None = None,
    questions_per_family: int | None = None,
) -> Chronicle:
    """Document number `index` of a split and seed; the same arguments give the same text.

    Args:
        size: how large the world is.
        split: whose names and values are used.
        seed: of the whole corpus.
        index: position in the corpus, from 0.
        chunks: number of chunks; drawn log-uniformly from the preset when None.
        questions_per_family: overrides the preset's.
    """
    rng = random.Random(f"chronicle/{GENERATOR_VERSION}/{size.name}/{split}/{seed}/{index}")
    if chunks is None:
        low, high = size.chunks
        chunks = math.floor(math.exp(rng.uniform(math.log(low), math.log(high + 1))))
    world = simulate(rng, size, split, min(chunks, size.chunks[1]))
    texts, written = chunk_texts(world, rng)
    most = size.questions_per_family if questions_per_family is None else questions_per_family
    drafts = tuple(draft_questions(world, rng, most))
    kept = tuple(notes(world, written))
    document_id = f"{split}-{seed}-{index:06d}"
    document = Document(
        document_id=document_id,
        chunks=tuple(
            Chunk(position, text, day)
            for position, (text, day) in enumerate(zip(texts, world.days, strict=True))
        ),
        questions=tuple(
            to_question(document_id, number, family, draft, len(texts))
            for number, (family, draft) in enumerate(drafts)
        ),
        summary=NOTE_SEPARATOR.join(text for _, text in kept),
    )
    return Chronicle(document, drafts, kept)


def known_split(name: str) -> Split:
    """A split by its name.

    Raises:
        CorpusError: there is none of that name.
    """
    for split in SPLITS:
        if split == name:
            return split
    raise CorpusError(f"unknown split {name!r}: choose one of {', '.join(SPLITS)}")


def generate(preset_name: str, split: str, documents: int, seed: int) -> Iterator[Document]:
    """Documents of a corpus, one by one; `Document` number i depends on nothing but i.

    Raises:
        CorpusError: unknown preset or split, fewer than one document, or a negative seed.
    """
    size, chosen = preset(preset_name), known_split(split)
    if documents < 1:
        raise CorpusError(f"a corpus of {documents} documents: ask for at least 1")
    if seed < 0:
        raise CorpusError(f"seed {seed} is negative: give a number from 0 up")
    return (chronicle(size, chosen, seed, index).document for index in range(documents))
