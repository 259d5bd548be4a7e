"""What compression keeps of the content of real text: several trainings between trained ends.

The ceiling of a training is its own checkpoint at one latent a token, which a recipe with the ratio
1 among its ratios was trained for; its floor a habit training of the same seed.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..common.errors import LatentcompError
from ..corpus.records import CONTINUATION
from ..evaluate.utilisation.adapted import LATENTS, between_ends
from ..evaluate.utilisation.measure import AnswerCost
from ..evaluate.utilisation.pooled import PooledUtilisation, pool

WHOLE: Final = 1.0
"""Ratio of one latent a token."""
Measured = Mapping[float, Mapping[int, Path]]
Read = Callable[[Path], list[AnswerCost]]


def content(measured: Measured, habit: Measured, read: Read, *, seed: int) -> dict[str, Any]:
    """Shares between trained ends by ratio, over continuations and over all families that count.

    Args:
        measured: ratio -> training seed -> folder of a measurement; ratio 1 among them.
        habit: the same of the trainings on the states of other documents; where a ratio was not
            measured the lowest that was stands for it, as its latents tell of no document.
        read: the costs in a folder.
        seed: of the bootstrap.

    Raises:
        LatentcompError: ratio 1, or the habit training of a seed, was not measured.
    """
    if WHOLE not in measured:
        raise LatentcompError(
            "there is no measurement at one latent a token, which is the trained ceiling; train "
            "with the ratio 1 among --set ratios=[...] and run `latentcomp utilisation --ratio 1`"
        )
    over: dict[str, dict[str, PooledUtilisation]] = {"continuation": {}, "all": {}}
    for ratio in sorted(set(measured) - {WHOLE}):
        rows = _by_seed(measured, habit, ratio, read)
        ends = {
            one: [row for row in each if row.family == CONTINUATION] for one, each in rows.items()
        }
        over["continuation"][f"{ratio:g}"] = pool(ends, seed=seed)
        over["all"][f"{ratio:g}"] = pool(rows, seed=seed)
    return over


def _by_seed(
    measured: Measured, habit: Measured, ratio: float, read: Read
) -> dict[int, list[AnswerCost]]:
    floors = habit.get(ratio) or habit[min(habit)]
    made = {}
    for seed, folder in sorted(measured[ratio].items()):
        if seed not in floors or seed not in measured[WHOLE]:
            raise LatentcompError(
                f"training seed {seed} at {ratio:g}x has no trained ends: measure its habit "
                "training, and its own checkpoint with --ratio 1"
            )
        trials: Mapping[str, Sequence[AnswerCost]] = {LATENTS: read(folder)}
        made[seed] = between_ends(read(floors[seed]), read(measured[WHOLE][seed]), trials)
    return made
