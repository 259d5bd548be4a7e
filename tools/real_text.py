"""The published figures on real text, from the measurements of a run.

    python -m latentcomp.tools.real_text RUN --recipe real --corpus SHA256 --long SHA256

writes `docs/results/real_text.json`: for each ratio that was measured on that corpus the trainings
of the recipe pooled, every arm, with intervals over documents and seeds. Twice: over continuations
alone, which is the headline, and over every family that counts. Training teaches how questions of a
corpus are answered, too, which the whole text does not tell the reader; so over questions the
latents may save more than the text itself, and continuations are the stricter figure. With
`--habit NAME` also between trained ends (`tools/real_content.py`), which takes habit from both.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from ..common.atomic import file_sha256, write_json
from ..common.errors import LatentcompError
from ..common.provenance import collect
from ..common.record import Record
from ..corpus.records import CONTINUATION
from ..evaluate.utilisation.measure import AnswerCost
from ..evaluate.utilisation.pooled import PooledUtilisation, pool
from ..evaluate.utilisation.result import UtilisationResult, figures_of
from ..experiment.run_folder import RunFolder
from .real_content import WHOLE, content

RESULT: Final = Path("docs/results/real_text.json")
Measured = dict[float, dict[int, Path]]
"""Ratio -> training seed -> folder of the newest measurement."""
Weighed = Mapping[int, Sequence[AnswerCost]]
"""Training seed -> costs of the same answers."""


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


def summary(measured: Measured, long: Measured) -> dict[str, Any]:
    """The record that is published, but for its provenance.

    Args:
        measured: on the documents of the headline.
        long: on longer ones, for the figures by length; empty for none.
    """
    results = [
        UtilisationResult.read(path / "utilisation.json")
        for folders in measured.values()
        for path in folders.values()
    ]
    costs = {f"{ratio:g}": _costs(folders) for ratio, folders in sorted(measured.items())}
    more = {f"{ratio:g}": _costs(folders) for ratio, folders in sorted(long.items())}
    seed = results[0].seed
    over = {
        name: {ratio: pool(_of(rows, only), seed=seed) for ratio, rows in costs.items()}
        for name, only in (("continuation", CONTINUATION), ("all", None))
    }
    return {
        "headline": {
            "frozen": _headlines(over["continuation"]),
            "all_families": _headlines(over["all"]),
        },
        "model": results[0].provenance.get("inputs", {}),
        "checkpoints": {one.checkpoint_sha256: one.steps for one in results},
        "training": training_of(next(iter(measured[min(measured)].values())).parent.parent),
        "measured_by": _made_by({"provenance": results[0].provenance}),
        "corpus": _source(results[0]),
        "long_corpus": _source_of(long),
        "continuation": _dumped(over["continuation"]),
        "all": _dumped(over["all"]),
        **_cells(costs, more, seed),
    }


def _costs(folders: Mapping[int, Path]) -> dict[int, list[AnswerCost]]:
    return {seed: costs_of(folder) for seed, folder in sorted(folders.items())}


def _of(costs: Weighed, family: str | None) -> dict[int, list[AnswerCost]]:
    return {
        seed: [row for row in rows if family is None or row.family == family]
        for seed, rows in costs.items()
    }


def _source(result: UtilisationResult) -> dict[str, Any] | None:
    """The corpus, by the name of its folder: its path on a machine is of no use elsewhere."""
    if result.corpus is None:
        return None
    source = result.corpus.model_dump(mode="json")
    return {**source, "path": Path(source["path"]).name if source["path"] else None}


def _made_by(record: Mapping[str, Any]) -> dict[str, Any]:
    """Who ran something, of its provenance: command, commit, hardware; paths by their last name."""
    seen = record.get("provenance", {})
    argv = [str(each) for each in seen.get("argv", [])]
    named = [Path(each).name if each.startswith("/") else each for each in argv]
    return {
        "argv": named,
        **{key: seen.get(key) for key in ("git_commit", "git_dirty", "hardware")},
    }


def training_of(folder: Path) -> dict[str, Any]:
    """What a trial says of itself; empty where it says nothing."""
    file = folder / "trial.json"
    if not file.exists():
        return {}
    trial = json.loads(file.read_text())
    kept = {key: trial.get(key) for key in ("recipe", "overrides", "data", "dtype")}
    return {**kept, **_made_by(trial)}


def _source_of(measured: Measured) -> dict[str, Any] | None:
    for folders in measured.values():
        for path in folders.values():
            return _source(UtilisationResult.read(path / "utilisation.json"))
    return None


def _headlines(pooled: Mapping[str, PooledUtilisation]) -> dict[str, dict[str, float]]:
    return {ratio: _headline(each) for ratio, each in pooled.items()}


def _headline(pooled: PooledUtilisation) -> dict[str, float]:
    latents, shuffled = pooled.utilisation["compressed"], pooled.utilisation["shuffled"]
    return {
        "ce_utilisation": latents.point,
        "low": latents.low,
        "high": latents.high,
        "shuffled": shuffled.point,
    }


def _dumped(pooled: Mapping[str, PooledUtilisation]) -> dict[str, Any]:
    return {ratio: record_of(each) for ratio, each in pooled.items()}


def _cells(
    costs: Mapping[str, Weighed], more: Mapping[str, Weighed], seed: int
) -> dict[str, dict[str, Any]]:
    """By ratio: families; and lengths of continuations, and ages, over both corpora."""
    made: dict[str, dict[str, Any]] = {"families": {}, "left_out": {}, "lengths": {}, "ages": {}}
    for ratio, weighed in costs.items():
        every = [row for rows in weighed.values() for row in rows]
        figures = figures_of(every, None, seed=seed)
        made["families"][ratio] = _plain(figures["families"])
        made["left_out"][ratio] = list(figures["left_out"])
        every += [row for rows in more.get(ratio, {}).values() for row in rows]
        arms = set.intersection(*({row.arm for row in rows} for rows in _parts(costs, more, ratio)))
        both = [row for row in every if row.arm in arms]
        ends = [row for row in both if row.family == CONTINUATION]
        made["lengths"][ratio] = _plain(figures_of(ends, None, seed=seed)["lengths"])
        made["ages"][ratio] = _plain(figures_of(both, None, seed=seed)["ages"])
    return made


def _parts(
    costs: Mapping[str, Weighed], more: Mapping[str, Weighed], ratio: str
) -> list[Sequence[AnswerCost]]:
    return [*costs[ratio].values(), *more.get(ratio, {}).values()]


def _plain(cells: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record_of(cell) for name, cell in cells.items()}


def record_of(record: Record) -> dict[str, Any]:
    """As JSON has it: null for NaN."""
    return dict(json.loads(record.model_dump_json()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--corpus", required=True, metavar="SHA256")
    parser.add_argument("--long", metavar="SHA256", help="of longer documents, for the lengths")
    parser.add_argument("--habit", metavar="NAME", help="trials of data.states=other: trained ends")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    run = RunFolder(options.run)
    measured = measured_on(run, options.recipe, options.corpus)
    long = measured_on(run, options.recipe, options.long) if options.long else {}
    habit = measured_on(run, options.habit, options.corpus) if options.habit else {}
    inputs = {
        f"{path.parent.parent.name}/{path.name}": file_sha256(path / "costs.parquet")
        for part in (measured, long, habit)
        for folders in part.values()
        for path in folders.values()
    }
    kept = content(measured, habit, costs_of, seed=0) if habit else {}
    record = summary({ratio: each for ratio, each in measured.items() if ratio > WHOLE}, long)
    record["content"] = {part: _dumped(pooled) for part, pooled in kept.items()}
    seeds = {f"training-{seed}": seed for seed in next(iter(measured.values()))}
    seen = collect(seeds, inputs).model_dump(mode="json")
    write_json(options.out, {**record, "provenance": seen})
    print(f"{options.out}: written")


if __name__ == "__main__":
    main()
