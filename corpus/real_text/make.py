"""A corpus of real text: gathered, separated, cut, asked about, and every question checked."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from ... import __version__
from ...common.errors import CorpusError, UsageError
from ..outside.texts import short_id
from ..records import Document
from .ask import ask
from .check import check
from .entries import Gathered, Source
from .kinds import TextFormat, how_to_get
from .reading import Progress, no_progress
from .repeats import Repeats
from .separate import RULE, SPLITS, separate
from .stretch import cut_source

ALL: Final = "all"
MOST_A_SOURCE: Final = 100
"""Documents of one source: the changelog of the kernel alone is as long as all others."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of the texts."""

    split: str = ALL
    characters: tuple[int, int] | None = None
    """Of a document, at least and at most; None for those of the format."""
    most: int | None = None
    """Documents; None for all. They are in an order drawn by hash, so the first are a sample."""
    keep_unasked: bool = False
    """Whether documents without questions are kept, for objectives that need none."""

    def check(self) -> None:
        """Raises: UsageError: no such split, or lengths that make no sense."""
        if self.split not in (ALL, *SPLITS):
            raise UsageError(f"--split {self.split!r}: give one of {', '.join((*SPLITS, ALL))}")
        low, high = self.characters or (200, 400)
        if not 200 <= low <= high / 2:
            raise UsageError(
                f"--characters {low}:{high}: give 200 or more, and an upper end that is at least "
                "twice as much, such as 1000:4500"
            )


@dataclass(slots=True)
class Made:
    """Documents of real text, and what was left out on the way."""

    documents: tuple[Document, ...]
    gathered: Gathered
    dropped: int = 0
    """Entries that stand in an earlier source too."""
    groups: int = 0
    largest: int = 0
    repeating: int = 0
    """Held-out documents left out, because they repeat an earlier split."""
    crowded: int = 0
    """Documents left out, because their source has `MOST_A_SOURCE` others."""
    short: int = 0
    """Characters in what is too short for a document."""
    unasked: int = 0
    """Documents without questions, kept or not."""
    refused: int = 0
    """Questions that the independent reader answers otherwise, left out."""
    splits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(documents, questions) of every split that was kept."""

    @property
    def families(self) -> dict[str, int]:
        """Questions by family."""
        return dict(
            sorted(Counter(q.family for one in self.documents for q in one.questions).items())
        )

    @property
    def lengths(self) -> list[int]:
        """Shortest, quarters and longest of the documents, in characters."""
        sizes = sorted(len(one.text) for one in self.documents)
        inner = quantiles(sizes, n=4) if len(sizes) > 1 else sizes * 3
        return [sizes[0], *(round(each) for each in inner), sizes[-1]]


def make(
    name: str, kind: TextFormat, path: Path, wanted: Wanted, progress: Progress = no_progress
) -> Made:
    """Make documents of the files of one format.

    Raises:
        CorpusError: no such path, nothing readable in it, or nothing of the length and split.
        UsageError: a split or a length that makes no sense.
    """
    wanted.check()
    low, high = wanted.characters or kind.characters
    gathered = kind.collect(path, progress)
    if not gathered.sources:
        raise _nothing(name, kind, path, gathered)
    separated = separate(gathered.sources)
    made = Made((), gathered, separated.dropped, separated.groups, separated.largest)
    repeats = Repeats(separated.sources)
    kept: dict[str, tuple[Document, str]] = {}
    for source, split in separated.sources:
        if wanted.split in (ALL, split):
            for document in _documents(name, kind, source, wanted, made):
                if repeats.has(document, split):
                    made.repeating += 1
                else:
                    kept.setdefault(document.document_id, (document, split))
    ordered = [kept[key] for key in sorted(kept, key=_drawn)]
    made.unasked = sum(not document.questions for document, _ in ordered)
    if not wanted.keep_unasked and kind.notes is not None:
        ordered = [each for each in ordered if each[0].questions]
    ordered = ordered[: wanted.most]
    if not ordered:
        raise CorpusError(
            f"{path}: no document of {low} to {high} characters "
            f"{'' if wanted.keep_unasked else 'with a question '}in split {wanted.split}: try "
            "--split all, other --characters, or --keep-unasked"
        )
    made.documents = tuple(document for document, _ in ordered)
    made.splits = {
        split: (len(own), sum(len(one.questions) for one in own))
        for split in SPLITS
        if (own := [document for document, other in ordered if other == split])
    }
    return made


def meta_of(name: str, kind: TextFormat, wanted: Wanted, made: Made) -> dict[str, Any]:
    """What a corpus folder says of how it was made: origin, licence, rule and files."""
    return {
        "source": name,
        "latentcomp": __version__,
        "licence": kind.licence,
        "split": wanted.split,
        "split_rule": RULE,
        "characters": list(wanted.characters or kind.characters),
        "keep_unasked": wanted.keep_unasked,
        "files": dict(made.gathered.files),
        "unreadable": dict(made.gathered.unreadable),
        "repeated_files": made.gathered.repeated,
        "repeated_entries": made.dropped,
        "undated_entries": made.gathered.undated,
        "repeating_documents": made.repeating,
        "crowded_documents": made.crowded,
        "refused_questions": made.refused,
    }


def _drawn(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _documents(
    name: str, kind: TextFormat, source: Source, wanted: Wanted, made: Made
) -> Iterator[Document]:
    cut = list(cut_source(source, *(wanted.characters or kind.characters)))
    made.short += sum(len(entry.text) + 1 for entry in source.entries)
    made.short -= sum(stretch.characters + 1 for stretch in cut)
    ids = [f"{name}-{'-'.join(source.name.split())}-{short_id(one.text)}" for one in cut]
    named = sorted(zip(ids, cut, strict=True), key=lambda each: _drawn(each[0]))
    made.crowded += len(named[MOST_A_SOURCE:])
    for document_id, stretch in named[:MOST_A_SOURCE]:
        document = ask(document_id, stretch, kind.notes)
        faults = check(document, name)
        wrong = {fault.question_id for fault in faults}
        right = tuple(
            question
            for question in document.questions
            if None not in wrong and question.question_id not in wrong
        )
        made.refused += len(document.questions) - len(right)
        yield replace(document, questions=right)


def _nothing(name: str, kind: TextFormat, path: Path, gathered: Gathered) -> CorpusError:
    """Why nothing was read."""
    if gathered.unreadable:
        file, reason = next(iter(gathered.unreadable.items()))
        return CorpusError(
            f"{path}: {file} cannot be read ({reason}): get it again with `{kind.bring}`"
        )
    if not gathered.files:
        return CorpusError(
            f"{path}: there is nothing of {name} in it ({kind.what}): check the path, or "
            f"{how_to_get(kind)}"
        )
    return CorpusError(f"{path}: no entry with a heading and a date: is it {kind.what}?")
