"""Which questions of a document the optimisation sees, and which are held out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ...corpus.records import Document, Question


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions about one document, in two parts."""

    optimised: tuple[Question, ...]
    """Seen by the optimisation; never empty."""
    held_out: tuple[Question, ...]
    """Other questions about the same document."""


def split_questions(document: Document, share: float, seed: int) -> Questions:
    """Hold a share of a document's questions out, evenly over its families.

    A function of document and seed. With a share above 0 and two questions or more, neither part
    is empty.

    Args:
        document: with at least one question.
        share: of the questions, held out; 0 for none.
        seed: decides which.
    """
    rng = Random(f"hold-out/{seed}/{document.document_id}")
    families: dict[str, list[Question]] = {}
    for question in document.questions:
        families.setdefault(question.family, []).append(question)
    drawn = (rng.sample(families[name], len(families[name])) for name in sorted(families))
    order = [question for family in drawn for question in family]
    # Every second of them at a share of one half; which of a pair comes first is drawn.
    offset = rng.random()
    held = [int((i + 1) * share + offset) > int(i * share + offset) for i in range(len(order))]
    if len(order) == 1:
        held = [False]
    elif share > 0 and len(set(held)) == 1:
        held[0] = not held[0]
    return Questions(_taken(order, held, wanted=False), _taken(order, held, wanted=True))


def _taken(
    order: Sequence[Question], held: Sequence[bool], *, wanted: bool
) -> tuple[Question, ...]:
    return tuple(one for one, is_held in zip(order, held, strict=True) if is_held == wanted)
