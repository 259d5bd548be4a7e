"""The published figures on real text, from the measurements of a run.

    python -m latentcomp.tools.real_text RUN --recipe real --corpus SHA256

writes `docs/results/real_text.json`: for each ratio that was measured on that corpus the trainings
of the recipe pooled, every arm, with intervals over documents and seeds.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from ..common.atomic import file_sha256, write_json
from ..common.errors import LatentcompError
from ..common.provenance import collect
from ..evaluate.utilisation.measure import AnswerCost
from ..evaluate.utilisation.pooled import PooledUtilisation, pool
from ..evaluate.utilisation.result import UtilisationResult
from ..experiment.run_folder import RunFolder

RESULT: Final = Path("docs/results/real_text.json")
Measured = dict[float, dict[int, Path]]
"""Ratio -> training seed -> folder of the newest measurement."""


def measured_on(run: RunFolder, recipe: str, corpus: str) -> Measured:
    """Measurements of the trials of a recipe on one corpus.

    Args:
        run: the run.
        recipe: name of the trials.
        corpus: SHA-256 of the documents, or its beginning.

    Raises:
        LatentcompError: there are none.
    """
    measured: Measured = {}
    for trial in run.trials(recipe):
        files = (trial.path / "utilisation").glob("*/utilisation.json")
        for file in sorted(files, key=lambda path: path.stat().st_mtime_ns):
            result = UtilisationResult.read(file)
            if result.corpus is not None and result.corpus.sha256.startswith(corpus):
                measured.setdefault(result.ratio, {})[trial.seed] = file.parent
    if not measured:
        raise LatentcompError(
            f"{run.path}: no trial of {recipe} was measured on a corpus {corpus}; run "
            f"`latentcomp utilisation --recipe {recipe} --run {run.path} --corpus FOLDER` first"
        )
    return measured


def costs_of(folder: Path) -> list[AnswerCost]:
    """Every cost of one measurement."""
    return [AnswerCost(**row) for row in pq.read_table(folder / "costs.parquet").to_pylist()]


def summary(measured: Measured) -> dict[str, Any]:
    """The record that is published, but for its provenance."""
    pooled: dict[str, PooledUtilisation] = {}
    results: list[UtilisationResult] = []
    for ratio, folders in sorted(measured.items()):
        costs = {seed: costs_of(folder) for seed, folder in sorted(folders.items())}
        results += [UtilisationResult.read(path / "utilisation.json") for path in folders.values()]
        pooled[f"{ratio:g}"] = pool(costs, seed=results[-1].seed)
    return {
        "headline": {"frozen": {ratio: _headline(each) for ratio, each in pooled.items()}},
        "model": results[0].provenance.get("inputs", {}),
        "corpus": results[0].corpus.model_dump(mode="json") if results[0].corpus else None,
        "ratios": {ratio: each.model_dump(mode="json") for ratio, each in pooled.items()},
        "lengths": _cells(results, "lengths"),
        "ages": _cells(results, "ages"),
    }


def _headline(pooled: PooledUtilisation) -> dict[str, float]:
    latents, shuffled = pooled.utilisation["compressed"], pooled.utilisation["shuffled"]
    return {
        "ce_utilisation": latents.point,
        "low": latents.low,
        "high": latents.high,
        "shuffled": shuffled.point,
    }


def _cells(results: Sequence[UtilisationResult], field: str) -> dict[str, list[dict[str, Any]]]:
    """One field of every measurement, by ratio."""
    cells: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        made = {name: cell.model_dump(mode="json") for name, cell in getattr(result, field).items()}
        cells.setdefault(f"{result.ratio:g}", []).append(made)
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--corpus", required=True, metavar="SHA256")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    measured = measured_on(RunFolder(options.run), options.recipe, options.corpus)
    inputs = {
        f"{ratio:g}x/seed-{seed}": file_sha256(folder / "costs.parquet")
        for ratio, folders in measured.items()
        for seed, folder in folders.items()
    }
    record = summary(measured)
    seeds = {f"training-{seed}": seed for seed in next(iter(measured.values()))}
    seen = collect(seeds, inputs).model_dump(mode="json")
    write_json(options.out, {**record, "provenance": seen})
    print(f"{options.out}: written")


if __name__ == "__main__":
    main()
