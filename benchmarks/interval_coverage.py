"""What 95 % intervals are worth: simulated documents and training seeds whose truth is known.

`python benchmarks/interval_coverage.py` draws documents, lets `evaluate/` make its intervals, and
counts. Documents differ in how much of them survives; ceiling and floor do not.

- How often the interval of a retention holds the truth, by the number of documents.
- The same of the gain of one recipe over another with three training seeds, where both recipes
  vary from seed to seed: of documents alone, and with the seeds as a random effect.
- How often a gate on the gain of one recipe over another passes although the true gain is just
  its threshold, by the standard deviation of training seeds: with the seeds as a random effect
  (`evaluate/seed_effect.py`), and without, as intervals were made before 2026-11-28.

Writes to `docs/results/interval_coverage.json`.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.evaluate.seed_effect import SeedEffect
from latentcomp.evaluate.stats import Bootstrap, Columns, FloatArray, retained

QUESTIONS: Final = 20
"""Of every document, as in the lab corpus."""
CEILING: Final = 0.45
FLOOR: Final = 0.05
TRUTH: Final = 0.5
"""Mean of what survives of a document, which is Beta(4, 4)."""


def covered(documents: int, repeats: int, *, seed: int = 0, resamples: int = 1000) -> float:
    """Share of intervals that hold the truth, over `repeats` draws of so many documents."""
    rng = np.random.default_rng(seed)
    counts = np.full(documents, float(QUESTIONS))
    hits = 0
    for number in range(repeats):
        survives = rng.beta(4, 4, documents)
        right = {
            "ceiling": CEILING,
            "floor": FLOOR,
            "compressed": FLOOR + (CEILING - FLOOR) * survives,
        }
        columns = {
            arm: rng.binomial(QUESTIONS, chance, documents).astype(np.float64)
            for arm, chance in right.items()
        }
        if number % SHARE_DRAWS == 0:
            bootstrap = Bootstrap.draw(documents, seed=number, resamples=resamples)
        interval = bootstrap.interval(retained("compressed"), columns, counts)
        hits += interval.low <= TRUTH <= interval.high
    return hits / repeats


THRESHOLD: Final = 0.03
"""Of the gate of phase 2, `retention_gain low > 0.03`: here also the true gain."""
SEEDS: Final = 3
GATE_DOCUMENTS: Final = 400
GATE_QUESTIONS: Final = 8
"""Of every document: the least evidence of a comparison is 400 documents and 3,000 questions."""

SHARE_DRAWS: Final = 50
"""Samples that share one draw of documents, which takes longer than all else of them."""


def null_passes(
    seed_sd: float, repeats: int, *, seed: int = 0, resamples: int = 1000
) -> dict[str, float]:
    """How often the lower end lies above the threshold where the true gain is the threshold.

    Args:
        seed_sd: standard deviation of the retention of one recipe from seed to seed; both recipes
            vary, so that a difference of two varies by sqrt(2) times as much.
        repeats: simulated comparisons.
        seed: of everything.
        resamples: bootstrap draws.

    Returns:
        Shares: `covered` of intervals with the seeds that hold the truth, and
        `covered_documents_only` of those without. Of lower ends above the threshold,
        `documents_only` of intervals that take the seeds as fixed, `documents_and_seeds`
        of those that do not, and of the latter `gate`, where every seed has to pass too.
    """
    rng = np.random.default_rng([seed, round(1000 * seed_sd)])
    counts = np.full(GATE_DOCUMENTS, float(GATE_QUESTIONS))
    names = ("documents_only", "documents_and_seeds", "gate", "covered_documents_only", "covered")
    passes = dict.fromkeys(names, 0)
    for number in range(repeats):
        survives = rng.beta(4, 4, GATE_DOCUMENTS)
        sides = _recipe(rng, survives + THRESHOLD, seed_sd), _recipe(rng, survives, seed_sd)
        fixed = [_draw_right(rng, chance) for chance in (CEILING, FLOOR)]
        gains = [_gain_columns(*pair, *fixed) for pair in zip(*sides, strict=True)]
        by_seed = [_gain({k: np.asarray(v.sum()) for k, v in one.items()}).item() for one in gains]
        pooled = {name: np.sum([one[name] for one in gains], axis=0) for name in gains[0]}
        if number % SHARE_DRAWS == 0:
            bootstrap = Bootstrap.draw(GATE_DOCUMENTS, seed=number, resamples=resamples)
        effect = SeedEffect.of(by_seed)
        assert effect is not None
        deviations = effect.draws(resamples, number)
        before = bootstrap.interval(_gain, pooled, counts)
        after = bootstrap.interval(_gain, pooled, counts, deviations=deviations)
        passes["documents_only"] += before.low > THRESHOLD
        passes["documents_and_seeds"] += after.low > THRESHOLD
        passes["covered_documents_only"] += before.low <= THRESHOLD <= before.high
        passes["covered"] += after.low <= THRESHOLD <= after.high
        passes["gate"] += after.low > THRESHOLD and min(by_seed) > THRESHOLD
    return {name: count / repeats for name, count in passes.items()}


def _recipe(rng: np.random.Generator, survives: FloatArray, seed_sd: float) -> list[FloatArray]:
    """Right answers per document, for each seed of one recipe."""
    shifts = rng.normal(0, seed_sd, SEEDS) if seed_sd else np.zeros(SEEDS)
    chances = [FLOOR + (CEILING - FLOOR) * (survives + shift) for shift in shifts]
    return [_draw_right(rng, np.clip(chance, 0, 1)) for chance in chances]


def _draw_right(rng: np.random.Generator, chance: FloatArray | float) -> FloatArray:
    return rng.binomial(GATE_QUESTIONS, chance, GATE_DOCUMENTS).astype(np.float64)


def _gain_columns(
    run: FloatArray, reference: FloatArray, ceiling: FloatArray, floor: FloatArray
) -> dict[str, FloatArray]:
    return {"run": run, "reference": reference, "ceiling": ceiling, "floor": floor}


def _gain(totals: Columns) -> FloatArray:
    return retained("run")(totals) - retained("reference")(totals)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[8, 24, 50, 100, 200, 400])
    parser.add_argument("--seed-sd", type=float, nargs="+", default=[0.0, 0.01, 0.02, 0.03])
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("docs/results/interval_coverage.json"))
    options = parser.parse_args()
    shares: dict[str, Any] = {}
    for documents in options.documents:
        share = covered(documents, options.repeats, seed=options.seed)
        error = (share * (1 - share) / options.repeats) ** 0.5
        shares[str(documents)] = {"covered": share, "standard_error": error}
        Console().print(f"{documents:4d} documents: {share:.3f} ± {error:.3f}")
    passes: dict[str, Any] = {}
    for seed_sd in options.seed_sd:
        passes[str(seed_sd)] = null_passes(seed_sd, options.repeats, seed=options.seed)
        Console().print(f"seed SD {seed_sd:g}: {passes[str(seed_sd)]}")
    content = {
        "nominal": 0.95,
        "repeats": options.repeats,
        "by_documents": shares,
        "null_passes": {
            "nominal": 0.025,
            "documents": GATE_DOCUMENTS,
            "questions": GATE_DOCUMENTS * GATE_QUESTIONS,
            "seeds": SEEDS,
            "true_gain": THRESHOLD,
            "by_seed_sd": passes,
        },
        "provenance": collect({"simulation": options.seed}, {}).model_dump(mode="json"),
    }
    write_json(options.json, content)


if __name__ == "__main__":
    main()
