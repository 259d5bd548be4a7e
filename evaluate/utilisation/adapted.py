"""CE utilisation between trained ends: what is left when habit is taken from both.

A compressor that learns on texts of one kind teaches the frozen reader how such texts go on, which
no document of it contains. So both ends are trained alike: the floor is a compressor that learned
from the states of *other* documents (`data.states`) and can know only habit, the ceiling one that
gives a latent for every token. Utilisation between them is what compression keeps of the content.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from .measure import AnswerCost
from .result import figures_of

HABIT_NOTE: Final = (
    "some of what latents save is habit: whatever the document, a trained compressor tells the "
    "reader what such texts are like; how to tell habit from content: "
    "docs/measures.md, between trained ends"
)
LATENTS: Final = "compressed"
HABIT: Final = "shuffled"
"""Arm of a habit compressor that is its floor: it was trained on the latents of other documents."""


def adapted_figures(
    habit: Sequence[AnswerCost],
    whole: Sequence[AnswerCost],
    trials: Mapping[str, Sequence[AnswerCost]],
    *,
    seed: int,
) -> dict[str, Any]:
    """Figures of several trainings between the same trained ends, paired answer by answer.

    Args:
        habit: costs behind the compressor that was trained on the states of other documents.
        whole: costs behind the compressor that gives one latent a token.
        trials: name of a training, which becomes the arm -> costs behind it.
        seed: of the bootstrap over documents.

    Returns:
        As `figures_of`, of the arms `floor` (habit), `ceiling` (whole) and one a training.

    Raises:
        ValueError: the measurements are not of the same answers.
    """
    return figures_of(between_ends(habit, whole, trials), None, seed=seed)


def between_ends(
    habit: Sequence[AnswerCost],
    whole: Sequence[AnswerCost],
    trials: Mapping[str, Sequence[AnswerCost]],
) -> list[AnswerCost]:
    """Costs with trained ends as `floor` and `ceiling`, and each training as an arm; as above."""
    rows = [*_as("floor", habit, HABIT), *_as("ceiling", whole, LATENTS)]
    for name, costs in trials.items():
        rows += _as(name, costs, LATENTS)
    return rows


def _as(name: str, costs: Sequence[AnswerCost], arm: str) -> list[AnswerCost]:
    return [replace(row, arm=name) for row in costs if row.arm == arm]
