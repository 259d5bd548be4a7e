"""Questions with every arm's answer, and by what a reader can filter them.

The page filters with radio buttons and style rules alone: it runs nothing, and where a browser does
not know the rules every example is shown.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from ..evaluate.result import EvaluationResult
from ..evaluate.samples import Sample

OUTCOMES: Final = ("right", "wrong", "stale")
"""What the leading arm answered; a stale answer is a wrong one too."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example, and under what it is shown."""

    sample: Sample
    family: int
    """Place of its family among those of the page."""
    outcomes: tuple[str, ...]
    """Of `OUTCOMES`; empty where the leading arm has no answer."""


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one evaluation, and how many there are of each kind."""

    arm: str
    """Whose answer is right, wrong or stale."""
    examples: tuple[Example, ...]
    families: tuple[tuple[str, int], ...]
    """Families in alphabetical order, with their examples."""
    outcomes: tuple[tuple[str, int], ...]
    """The same of `OUTCOMES`."""
    chosen: int
    """Examples that were chosen because they are wrong or stale."""


def examples_of(result: EvaluationResult) -> Examples:
    """What the page shows of an evaluation."""
    names = sorted({sample.family for sample in result.samples})
    examples = tuple(
        Example(sample, names.index(sample.family), outcomes(sample, result.headline))
        for sample in result.samples
    )
    of_family = Counter(example.family for example in examples)
    of_outcome = Counter(outcome for example in examples for outcome in example.outcomes)
    return Examples(
        result.headline,
        examples,
        tuple((name, of_family[place]) for place, name in enumerate(names)),
        tuple((outcome, of_outcome[outcome]) for outcome in OUTCOMES),
        sum(sample.chosen is not None for sample in result.samples),
    )


def outcomes(sample: Sample, arm: str) -> tuple[str, ...]:
    """Under which of `OUTCOMES` the answer of an arm is shown."""
    answer = sample.answers.get(arm)
    if answer is None:
        return ()
    if answer.correct:
        return ("right",)
    return ("wrong", "stale") if answer.stale else ("wrong",)
