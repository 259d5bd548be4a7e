"""What a training reads and asks, as data: kinds of batches, and how questions are drawn.

`LESSONS` and `SYLLABI` are what `--lessons` and `--syllabus` of a training process choose from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Syllabus:
    """Sampling weights of the questions, and auxiliary targets."""

    per_family: int = 3
    """Most questions of a family that are drafted about a document."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Relative sampling weight of a family; 1 for the rest."""
    hints_at: tuple[float, ...] = (1 / 3, 1 / 2)
    """Depths, as shares of the blocks, at which hints are to be known. None: no hints."""
    unread: float = 0.0
    """Share of the sequences whose questions are asked with nothing read, to be guessed: else a
    reader without a document goes on writing one, and guesses below chance (docs/LOG.md)."""


SYLLABI: Final[dict[str, Syllabus]] = {
    "hints": Syllabus(),
    "hard": Syllabus(
        shares={
            "structure": 2.0,
            "relation": 1.5,
            "three_hop": 1.5,
            "holder": 1.5,
            "aggregate": 1.5,
            "as_of": 1.5,
        }
    ),
    "long": Syllabus(
        per_family=4,
        shares={
            "structure": 2.0,
            "when": 2.0,
            "holder": 2.0,
            "relation": 1.5,
            "three_hop": 1.5,
            "aggregate": 1.5,
            "as_of": 1.5,
        },
    ),
    "no-hints": Syllabus(hints_at=()),
    "guesses": Syllabus(
        per_family=4, shares={"structure": 2.0, "when": 2.0, "holder": 2.0}, unread=0.08
    ),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What the sequences of one kind of batch look like."""

    preset: str
    """Of generator 4."""
    chunks: tuple[int, int]
    """Fewest and most of a document."""
    read: tuple[int, int]
    """Fewest and most of them that are read before the questions."""
    length: int
    """T, in tokens."""
    share: int = 2
    """Sequences about one document, which takes longer to make than to pack; a divisor of B."""


_LAB: Final = Kind("lab", (7, 9), (2, 9), 896, share=3)
_LONG: Final = Kind("long", (42, 66), (9, 66), 4608)
_WHOLE: Final = replace(_LONG, read=(24, 66))
LESSONS: Final[dict[str, tuple[Kind, ...]]] = {
    "lab": (_LAB,),
    "long": (_LAB, _LAB, _LAB, _LONG),
    "longer": (_LAB, _WHOLE, _WHOLE, _WHOLE),
}
"""Kinds of batches, in turn. Documents are read up to any chunk: short ones are learned first."""
SPARSE_FROM: Final = 2048
"""Tokens of a sequence from which on skipping the hidden pairs pays: 85 ms a step instead of 161 at
4,608 tokens, 71 instead of 65 at 896 (one H200, docs/LOG-engineering.md)."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A kind of batch with its size."""

    kind: Kind
    batch: int
    """B, in sequences of one process."""
    syllabus: Syllabus = Syllabus()


def lessons_of(lessons: str, syllabus: str, tokens: int) -> tuple[Lesson, ...]:
    """The kinds of batches of a training, each of about `tokens` tokens with padding.

    Args:
        lessons: key of `LESSONS`.
        syllabus: key of `SYLLABI`.
        tokens: of one step of one process.
    """
    return tuple(
        Lesson(kind, max(1, tokens // kind.length // kind.share) * kind.share, SYLLABI[syllabus])
        for kind in LESSONS[lessons]
    )
