"""Trainings on real text beside each other, and what of their gain is habit.

    python -m latentcomp.tools.real_arms RUN --corpus SHA256 --habit NAME --whole NAME --text SHA256

writes `docs/results/real_text_arms.json` from the measurements of a run: for each trial and ratio
what an answer token costs behind its latents, CE utilisation by the usual ends (the untrained
reader with the text and without), and between trained ends (`evaluate/utilisation/adapted.py`).
Beside them what pieces of the text are worth on the corpus of the headline; no training counts
there.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..common.atomic import file_sha256, write_json
from ..common.errors import LatentcompError
from ..common.provenance import collect
from ..corpus.records import CONTINUATION
from ..evaluate.utilisation.adapted import adapted_figures
from ..evaluate.utilisation.result import UtilisationResult
from ..experiment.run_folder import RunFolder
from .real_text import Measured, costs_of, measured_on, record_of, training_of

RESULT: Final = Path("docs/results/real_text_arms.json")
SEED: Final = 0
"""Training seed of the arms: one each."""
PIECES: Final = ("truncation", "truncation_tail")
"""Arms whose reader has as many tokens of the text as there are latents."""


def arms_of(run: RunFolder, corpus: str, habit: str, whole: str) -> dict[str, Any]:
    """The record that is published, but for its provenance.

    Args:
        run: with its trials measured.
        corpus: SHA-256 of the documents of the comparison, or its beginning.
        habit: name of the trial that learned from the states of other documents.
        whole: name of the trial with one latent a token, at its lowest ratio.

    Raises:
        LatentcompError: a trial was not measured on that corpus.
    """
    measured = {name: measured_on(run, name, corpus) for name in trial_names(run)}
    ends = {name: costs_of(_only(measured, name)) for name in (habit, whole)}
    trials = {
        f"{name} {ratio:g}x": folders[SEED]
        for name, by_ratio in measured.items()
        for ratio, folders in sorted(by_ratio.items())
    }
    costs = {name: costs_of(folder) for name, folder in trials.items()}
    results = {name: UtilisationResult.read(at / "utilisation.json") for name, at in trials.items()}
    first = next(iter(results.values()))
    figures = adapted_figures(ends[habit], ends[whole], costs, seed=first.seed)
    parts = {"continuation": figures["families"][CONTINUATION], "all": figures["overall"]}
    return {
        "habit": habit,
        "whole": whole,
        "documents": figures["documents"],
        "left_out": list(figures["left_out"]),
        "adapted": {part: record_of(cell) for part, cell in parts.items()},
        "trials": {name: _trial(trials[name], results[name]) for name in sorted(trials)},
    }


def text_arms(run: RunFolder, corpus: str) -> dict[str, Any]:
    """By ratio: utilisation of as many tokens of the text, over continuations and over all.

    Args:
        run: with a trial that was measured on that corpus with these arms; whichever it is.
        corpus: SHA-256 of the documents, or its beginning.

    Raises:
        LatentcompError: no trial was.
    """
    for name in trial_names(run):
        try:
            measured = measured_on(run, name, corpus)
        except LatentcompError:
            continue
        results = {
            f"{ratio:g}": UtilisationResult.read(folders[SEED] / "utilisation.json")
            for ratio, folders in sorted(measured.items())
        }
        if all(_has_pieces(result) for result in results.values()):
            return {ratio: _pieces(result) for ratio, result in results.items()}
    raise LatentcompError(
        f"{run.path}: no trial was measured on a corpus {corpus}; run "
        f"`latentcomp utilisation --arms {','.join(PIECES)} --run {run.path} --corpus FOLDER` first"
    )


def _has_pieces(result: UtilisationResult) -> bool:
    return set(PIECES) <= result.families[CONTINUATION].utilisation.keys()


def _pieces(result: UtilisationResult) -> dict[str, Any]:
    parts = {"continuation": result.families[CONTINUATION], "all": result.overall}
    return {
        part: {arm: record_of(cell.utilisation[arm]) for arm in PIECES}
        for part, cell in parts.items()
        if cell is not None
    }


def trial_names(run: RunFolder) -> list[str]:
    """Recipes of which there is a trial."""
    return sorted(path.name for path in (run.path / "trials").iterdir() if path.is_dir())


def _only(measured: Mapping[str, Measured], name: str) -> Path:
    """The measurement of a trial that is an end, at its lowest ratio."""
    if name not in measured:
        raise LatentcompError(
            f"there is no measured trial {name!r}; there are {', '.join(sorted(measured))}"
        )
    return measured[name][min(measured[name])][SEED]


def _trial(folder: Path, result: UtilisationResult) -> dict[str, Any]:
    """How it was trained, and its figures by the usual ends."""
    ends = result.families[CONTINUATION]
    return {
        "ratio": result.ratio,
        "steps": result.steps,
        "continuation": record_of(ends),
        "all": None if result.overall is None else record_of(result.overall),
        "left_out": list(result.left_out),
        "training": training_of(folder.parent.parent),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--corpus", required=True, metavar="SHA256")
    parser.add_argument("--habit", required=True, metavar="NAME")
    parser.add_argument("--whole", required=True, metavar="NAME")
    parser.add_argument("--text", required=True, metavar="SHA256", help="for the pieces of text")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    run = RunFolder(options.run)
    record = arms_of(run, options.corpus, options.habit, options.whole)
    record["text"] = text_arms(run, options.text)
    inputs = {
        f"{name}/{path.name}": file_sha256(path / "costs.parquet")
        for name in trial_names(run)
        for folders in measured_on(run, name, options.corpus).values()
        for path in folders.values()
    }
    seen = collect({"training": SEED}, inputs).model_dump(mode="json")
    write_json(options.out, {**record, "provenance": seen})
    print(f"{options.out}: written")


if __name__ == "__main__":
    main()
