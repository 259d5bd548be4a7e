"""How often the 95 % interval of a retention holds the truth, by the number of documents.

`python benchmarks/interval_coverage.py` draws documents whose true retention is known, lets the
bootstrap of `evaluate/stats.py` make its interval, and counts. Documents differ in how much of
them survives; ceiling and floor do not. Writes to `docs/results/interval_coverage.json`.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.evaluate.stats import Bootstrap, retained

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
        bootstrap = Bootstrap.draw(documents, seed=number, resamples=resamples)
        found = bootstrap.interval(retained("compressed"), columns, counts)
        hits += found.low <= TRUTH <= found.high
    return hits / repeats


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[8, 24, 50, 100, 200, 400])
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("docs/results/interval_coverage.json"))
    given = parser.parse_args()
    shares: dict[str, Any] = {}
    for documents in given.documents:
        share = covered(documents, given.repeats, seed=given.seed)
        error = (share * (1 - share) / given.repeats) ** 0.5
        shares[str(documents)] = {"covered": share, "standard_error": error}
        Console().print(f"{documents:4d} documents: {share:.3f} ± {error:.3f}")
    content = {
        "nominal": 0.95,
        "repeats": given.repeats,
        "by_documents": shares,
        "provenance": collect({"simulation": given.seed}, {}).model_dump(mode="json"),
    }
    write_json(given.json, content)


if __name__ == "__main__":
    main()
