"""Answers of several evaluations that are compared: to the same questions, by the same reasoner."""

from collections.abc import Sequence

from ..common.errors import LatentcompError
from .arms.table import REFERENCE_ARMS
from .scores import ScoredAnswer


def check_paired(sides: Sequence[Sequence[ScoredAnswer]]) -> None:
    """Refuses answers to other questions, or of another reasoner or kind of device.

    Raises:
        LatentcompError: names the first question that differs.
    """
    _check_same(
        [_questions(rows) for rows in sides],
        "is on one side only, or with another answer or family; evaluate both sides "
        "with the same --documents and --seed",
    )
    # What does not depend on the recipe must not differ: else it is another reasoner, or
    # another device, and the difference is not that of the recipes alone.
    for arm in REFERENCE_ARMS:
        _check_same(
            [_predictions(rows, arm) for rows in sides],
            f"got another answer of the arm {arm} on one side; evaluate both sides with one "
            "reasoner, on one kind of device",
        )


def with_shared_arms(sides: Sequence[Sequence[ScoredAnswer]]) -> list[list[ScoredAnswer]]:
    """The rows of every side, of those arms that all sides have.

    Raises:
        LatentcompError: latents, ceiling or floor are not among them.
    """
    shared = set.intersection(*({row.arm for row in rows} for rows in sides))
    if missing := [arm for arm in ("compressed", *REFERENCE_ARMS) if arm not in shared]:
        raise LatentcompError(
            f"the arm {missing[0]} was not measured on every side of the comparison; run "
            "`latentcomp evaluate` again for those without it"
        )
    return [[row for row in rows if row.arm in shared] for rows in sides]


def _questions(rows: Sequence[ScoredAnswer]) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.family, row.answer) for row in rows}


def _predictions(rows: Sequence[ScoredAnswer], arm: str) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.prediction) for row in rows if row.arm == arm}


def _check_same(sides: Sequence[set[tuple[str, ...]]], fault: str) -> None:
    for other in sides[1:]:
        if odd := sides[0] ^ other:
            document, question, *_ = min(odd)
            raise LatentcompError(f"question {question} of document {document} {fault}")
