"""Sibling gates: what a phase could pass its gate without, asked beside it and never instead.

The gates of the plan keep their thresholds. Beside each, these criteria say whether the property
that the gate is named after is there: a retention that comes from guesses, from a few families or
from any latents at all passes the gate and fails its sibling. Both are reported; the order of the
ladder rests on the gates alone. Thresholds were written on 2026-11-29, before any compressor was
trained on generator 4; `shuffled_above_other_text` came on 2026-12-01, to find the cause of red
self-checks. A test compares them with section 5a of docs/experiment_plan.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..evaluate.measures import SHUFFLED_MARGIN, StrictMeasure
from ..evaluate.scores import ScoredAnswer
from ..evaluate.stats import Interval
from ..evaluate.strict import strict_measures
from .verdict import SiblingOutcome, Status


@dataclass(frozen=True, slots=True)
class Sibling:
    """One end of the interval of one strict measure against one threshold."""

    measure: StrictMeasure
    bound: Literal["low", "high"]
    threshold: float

    def outcome(self, taken: Mapping[StrictMeasure, Interval]) -> SiblingOutcome:
        """How it came out; inconclusive where it was not taken or its interval is undefined.

        An interval without width at the threshold, as of latents that equal their control answer by
        answer, shows nothing above it: it fails.
        """
        interval = taken.get(self.measure)
        status: Status = "inconclusive"
        if interval is not None and interval.defined:
            low, high, at = interval.low, interval.high, self.threshold
            passed, failed = (
                (low > at, high <= at) if self.bound == "low" else (high < at, low >= at)
            )
            status = "passed" if passed else "failed" if failed else "inconclusive"
        return SiblingOutcome(
            measure=self.measure,
            bound=self.bound,
            threshold=self.threshold,
            interval=interval,
            status=status,
        )


_SHUFFLED: Final = (
    Sibling("largest_shuffled_effect", "high", 0.10),
    Sibling("shuffled_above_other_text", "high", SHUFFLED_MARGIN),
)


def _existence(retention: float, accuracy: float) -> tuple[Sibling, ...]:
    return (
        Sibling("retention_above_controls", "low", retention),
        Sibling("accuracy", "low", accuracy),
        *_SHUFFLED,
    )


_UPDATES: Final = (Sibling("stale_rate", "high", 0.10), Sibling("above_stale", "low", 0.0))
_EVERY_FAMILY: Final = (Sibling("lowest_family_retention", "low", 0.10),)

SIBLINGS: Final[dict[int, tuple[Sibling, ...]]] = {
    1: _existence(0.10, 0.25),
    2: _SHUFFLED,
    3: (*_SHUFFLED, *_UPDATES),
    4: (*_existence(0.40, 0.50), *_EVERY_FAMILY, *_UPDATES),
    5: (*_SHUFFLED, *_EVERY_FAMILY, *_UPDATES),
    6: (*_EVERY_FAMILY, Sibling("above_stale", "low", 0.0)),
    7: (),
    8: (*_existence(0.25, 0.35), *_EVERY_FAMILY),
}
"""By phase. Of a comparison they are taken on the trial of the lowest training seed."""


NEEDED_ARMS: Final[dict[StrictMeasure, str]] = {
    "shuffled_above_other_text": "other_text",
    "above_stale": "stale",
}
"""Measure -> the optional arm that it compares with."""


def arms_needed(number: int) -> tuple[str, ...]:
    """Optional arms without which a sibling of the phase is inconclusive."""
    measures = [sibling.measure for sibling in SIBLINGS.get(number, ())]
    return tuple(NEEDED_ARMS[measure] for measure in measures if measure in NEEDED_ARMS)


def sibling_outcomes(
    number: int, rows: Sequence[ScoredAnswer], *, seed: int
) -> tuple[SiblingOutcome, ...]:
    """How the siblings of a phase came out on the answers of one trial."""
    siblings = SIBLINGS.get(number, ())
    if not siblings:
        return ()
    taken = strict_measures(rows, seed=seed)
    return tuple(sibling.outcome(taken) for sibling in siblings)
