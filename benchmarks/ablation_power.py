"""What a table of ablations finds and what it invents: simulated grids whose truth is known.

`python benchmarks/ablation_power.py` draws documents, questions and training seeds, lets
`evaluate/` make p-values and intervals as for `make ablations`, and counts over many grids:

- how often any row of a grid without any effect is called different after Holm's adjustment;
- how often any of the rows without an effect is called different after Holm's adjustment, and
  how often one of them is before it;
- how often a row that costs `--effect` is found, beside the power that its own interval states;
- how often one that costs the smallest effect that is said to show is found: four times in five.

Writes to `docs/results/ablation_power.json`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.evaluate.difference import POWER, power_for, smallest_shown
from latentcomp.evaluate.seed_effect import SeedEffect
from latentcomp.evaluate.stats import (
    Bootstrap,
    Columns,
    FloatArray,
    Interval,
    holm,
    p_value,
    retained,
)

CEILING: Final = 0.95
FLOOR: Final = 0.15
KEPT: Final = 0.7
"""Mean retention of the full recipe; that of a document is Beta(7, 3)."""
LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Grid:
    """Size of a simulated grid."""

    documents: int = 400
    questions: int = 8
    """Of every document."""
    seeds: int = 3
    nulls: int = 11
    """Rows without an effect, beside the one that has it."""
    seed_sd: float = 0.01
    """Standard deviation of the retention of a recipe from seed to seed."""
    effect: float = 0.03
    """Fall of retention of the row that has one."""
    resamples: int = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What one simulated grid showed."""

    planted: bool
    """Whether the row with an effect has an adjusted p under the level."""
    alone: bool
    """Whether its p-value alone is under the level."""
    invented: bool
    """Whether any other row has an adjusted p under the level."""
    unadjusted: float
    """Share of the other rows whose p-value alone is under the level."""
    stated: float
    """Power for the planted effect, as its own interval at 95 % states it."""
    shown: float
    """The smallest effect that this interval is said to show."""


def simulate(size: Grid, bootstrap: Bootstrap, rng: np.random.Generator, number: int) -> Found:
    """One grid: the full recipe, rows that equal it, and one that keeps less."""
    kept = rng.beta(7, 3, size.documents)
    fixed = {"ceiling": _right(size, rng, CEILING), "floor": _right(size, rng, FLOOR)}
    full = _recipe(size, rng, kept)
    effects = [size.effect, *[0.0] * size.nulls]
    rows = [_columns(full, _recipe(size, rng, kept - effect), fixed) for effect in effects]
    by_seed = [[_drop(_totals(one)).item() for one in seeds] for seeds in rows]
    effect = SeedEffect.of(*by_seed)
    deviations = None if effect is None else effect.draws(size.resamples, number)
    pooled = [{name: sum(one[name] for one in seeds) for name in seeds[0]} for seeds in rows]
    p = [p_value(bootstrap.draws(_drop, columns, deviations)) for columns in pooled]
    adjusted = holm(p)
    interval = _interval(size, bootstrap, pooled[0], deviations)
    return Found(
        planted=adjusted[0] < LEVEL,
        alone=p[0] < LEVEL,
        invented=min(adjusted[1:]) < LEVEL,
        unadjusted=float(np.mean([one < LEVEL for one in p[1:]])),
        stated=power_for(interval, size.effect),
        shown=smallest_shown(interval),
    )


def measure(size: Grid, repeats: int, seed: int) -> dict[str, float]:
    """Shares over `repeats` grids."""
    rng = np.random.default_rng([seed, round(1000 * size.effect), round(1000 * size.seed_sd)])
    bootstrap = Bootstrap.draw(size.documents, seed=seed, resamples=size.resamples)
    found = [simulate(size, bootstrap, rng, number) for number in range(repeats)]
    return {
        "found_after_holm": float(np.mean([one.planted for one in found])),
        "found": float(np.mean([one.alone for one in found])),
        "stated_power": float(np.mean([one.stated for one in found])),
        "smallest_shown": float(np.mean([one.shown for one in found])),
        "any_invented_after_holm": float(np.mean([one.invented for one in found])),
        "any_called": float(np.mean([one.planted or one.invented for one in found])),
        "invented_each": float(np.mean([one.unadjusted for one in found])),
    }


def _recipe(size: Grid, rng: np.random.Generator, kept: FloatArray) -> list[FloatArray]:
    """Right answers per document, by training seed."""
    shifts = rng.normal(0, size.seed_sd, size.seeds)
    chances = [FLOOR + (CEILING - FLOOR) * (kept + shift) for shift in shifts]
    return [_right(size, rng, np.clip(chance, 0, 1)) for chance in chances]


def _right(size: Grid, rng: np.random.Generator, chance: FloatArray | float) -> FloatArray:
    return rng.binomial(size.questions, chance, size.documents).astype(np.float64)


def _columns(
    full: list[FloatArray], row: list[FloatArray], fixed: dict[str, FloatArray]
) -> list[dict[str, FloatArray]]:
    pairs = zip(full, row, strict=True)
    return [{"full": one, "row": other, **fixed} for one, other in pairs]


def _totals(columns: Columns) -> dict[str, FloatArray]:
    return {name: np.asarray(column.sum()) for name, column in columns.items()}


def _drop(totals: Columns) -> FloatArray:
    return retained("full")(totals) - retained("row")(totals)


def _interval(
    size: Grid, bootstrap: Bootstrap, columns: Columns, deviations: FloatArray | None
) -> Interval:
    counts = np.full(size.documents, float(size.questions))
    return bootstrap.interval(_drop, columns, counts, deviations=deviations)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--effect", type=float, default=0.03)
    parser.add_argument("--documents", type=int, nargs="+", default=[400, 1000])
    parser.add_argument("--seed-sd", type=float, nargs="+", default=[0.0, 0.01, 0.02])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("docs/results/ablation_power.json"))
    options = parser.parse_args()
    grids: list[dict[str, Any]] = []
    for documents in options.documents:
        for seed_sd in options.seed_sd:
            size = Grid(documents=documents, seed_sd=seed_sd, effect=options.effect)
            shares = measure(size, options.repeats, options.seed)
            shown = Grid(documents=documents, seed_sd=seed_sd, effect=shares["smallest_shown"])
            again = measure(shown, options.repeats, options.seed)
            none = Grid(documents=documents, seed_sd=seed_sd, effect=0.0)
            nulls = measure(none, options.repeats, options.seed)
            grids.append(
                {
                    "documents": documents,
                    "seed_sd": seed_sd,
                    **{name: share for name, share in shares.items() if name != "any_called"},
                    "found_of_smallest_shown": again["found"],
                    "any_invented_of_nulls": nulls["any_called"],
                }
            )
            Console().print(grids[-1])
    content = {
        "level": LEVEL,
        "power": POWER,
        "effect": options.effect,
        "rows": Grid().nulls + 1,
        "seeds": Grid().seeds,
        "questions_per_document": Grid().questions,
        "repeats": options.repeats,
        "grids": grids,
        "provenance": collect({"simulation": options.seed}, {}).model_dump(mode="json"),
    }
    write_json(options.json, content)


if __name__ == "__main__":
    main()
