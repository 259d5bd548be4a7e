"""What two evaluations must have in common before their answers are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from ..common.errors import LatentcompError
from .scores import EXACT, AnswersSource


@dataclass(frozen=True, slots=True)
class Comparable:
    """Everything besides the recipe that decides the figures; None is not known."""

    corpus: str
    """SHA-256 of the held-out documents."""
    reasoner: str
    """SHA-256 of the weights of the model that answered."""
    ratio: float
    """Nominal tokens per latent."""
    scorer: str = EXACT
    """What decided which answers are right."""
    documents: int | None = None
    """Held-out documents."""
    training_documents: str | None = None
    """SHA-256 or name of the documents that were trained on."""
    batch_size: int | None = None
    """Documents of a training step, of all processes."""
    steps: int | None = None
    """Optimiser steps of the budget."""
    seconds: float | None = None
    """Seconds of the budget, where it is one of time."""

    @classmethod
    def of(cls, source: AnswersSource) -> Self:
        """What a file of answers records."""
        return cls(source.corpus, source.reasoner, source.ratio, source.scorer)


NEXT_STEP: Final[Mapping[str, str]] = {
    "corpus": "evaluate both on the same documents (--documents, --seed or --corpus)",
    "reasoner": "evaluate both with the same --reasoner",
    "ratio": "evaluate both at the same --ratio",
    "scorer": "evaluate both with the same scorer",
    "documents": "evaluate both with the same --documents",
    "training_documents": "train both on the same corpus",
    "batch_size": "train both with the same --batch-size",
    "steps": "train both with the same --steps",
    "seconds": "train both with the same --seconds",
}
"""By field: what to do where it differs."""


def check_comparable(sides: Mapping[str, Comparable]) -> None:
    """Refuses sides that differ in anything but their recipe.

    Args:
        sides: by the name that a user knows, such as a file or a trial.

    Raises:
        LatentcompError: the first field that differs, with both values and the next step.
    """
    named = list(sides.items())
    for name, other in named[1:]:
        for field in (field.name for field in fields(Comparable)):
            first, value = getattr(named[0][1], field), getattr(other, field)
            if value != first:
                raise LatentcompError(
                    f"{name}: its {field} is {value}, and that of {named[0][0]} is {first}; "
                    f"{NEXT_STEP[field]}"
                )
