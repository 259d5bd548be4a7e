"""What a run of the ladder showed, for the repository: a result file and the published verdicts.

`python -m latentcomp.tools.publish --run RUN` writes `docs/results/ladder.json` (what ships keeps,
every evaluation computed again from its answers, training curves, provenance) and
`lab/published/verdicts.jsonl` (the standing verdict of every phase that has what the plan asks for,
which satisfies the order for runs with the same teacher; those on other teachers stay there).
The weights may be gone; the answers must be there, with the hashes that the verdicts name.
`--headline` instead of a run writes anew what ships keeps, and leaves the rest as it is.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..common import atomic
from ..common.atomic import file_sha256
from ..common.errors import LatentcompError
from ..common.journal import read_lines
from ..common.record import read_record
from ..evaluate.result import EvaluationResult
from ..experiment.catalogue import phase_of
from ..experiment.evidence import Measured, load_evaluation
from ..experiment.history import read_history, standing
from ..experiment.phases import PHASES
from ..experiment.published import PUBLISHED
from ..experiment.run_folder import RunFolder
from ..experiment.shipped import SHIPPED
from ..experiment.verdict import Verdict
from ..train.checkpoint import MODEL, open_checkpoint
from ..train.log import read_curve
from .by_ratio import HEADLINES, by_ratio

RESULT: Final = Path(__file__).resolve().parents[1] / "docs" / "results" / "ladder.json"
SHIPS: Final = "phase-4"
"""Recipe of the compressor that ships, and its folder."""
CURVE_STEPS: Final = 20
CURVE_FIELDS: Final = ("step", "documents", "seconds", "answer", "token_accuracy")
"""Of a training curve, as `log.jsonl` names them."""


def main() -> None:
    """Write both files from a run folder, or what ships into the one that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path)
    what.add_argument("--headline", action="store_true", help="Only what ships keeps, anew.")
    given = parser.parse_args()
    if given.headline:
        kept = {"headline": {"frozen": headline(RESULT.parent)}}
        atomic.write_json(RESULT, json.loads(RESULT.read_text()) | kept)
        print(f"{RESULT}: what ships keeps at {', '.join(kept['headline']['frozen'])} tokens")
        return
    run = RunFolder(given.run)
    verdicts = standing_of(run)
    atomic.write_json(RESULT, ladder_record(run, verdicts))
    counting = [verdict for verdict in verdicts if verdict.counts and not verdict.thin]
    atomic.write_text(PUBLISHED, published_with(counting, read_lines(Verdict, PUBLISHED)))
    print(f"{RESULT}: {len(verdicts)} phases; {PUBLISHED}: {len(counting)} that open the next one")


def published_with(verdicts: Sequence[Verdict], before: Sequence[Verdict]) -> str:
    """The file of published verdicts: new ones, behind those on other teachers.

    Args:
        verdicts: the new ones, of one teacher.
        before: those that were published so far.
    """
    judged = {verdict.teacher_sha256 for verdict in verdicts}
    kept = [verdict for verdict in before if verdict.teacher_sha256 not in judged]
    return "".join(verdict.model_dump_json() + "\n" for verdict in [*kept, *verdicts])


def standing_of(run: RunFolder) -> list[Verdict]:
    """The standing verdict of every judged phase, its answers found unchanged.

    Raises:
        LatentcompError: there is none, or answers are missing or were changed.
    """
    verdicts = [standing(history) for each in PHASES if (history := read_history(run, each.number))]
    if not verdicts:
        raise LatentcompError(f"{run.path}: no phase was judged here; run `latentcomp ladder`")
    for verdict in verdicts:
        for name, sha256 in verdict.evaluations.items():
            answers = run.path / name / "answers.parquet"
            if not answers.is_file() or file_sha256(answers) != sha256:
                raise LatentcompError(
                    f"{answers}: missing, or not the answers that phase {verdict.phase} was judged "
                    "on; publish from the run folder that was judged"
                )
    return verdicts


def ladder_record(run: RunFolder, verdicts: list[Verdict]) -> dict[str, Any]:
    """Verdicts, and every evaluation that they rest on, as JSON."""
    trials, curves = {}, {}
    for trial in run.trials():
        evaluations = [load_evaluation(trial, folder) for folder in trial.evaluations()]
        trials[str(trial)] = [_figures(each) for each in evaluations]
        curves[str(trial)] = _curve(trial.path)
    return {
        "headline": {"frozen": headline(RESULT.parent)},
        "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
        "trials": trials,
        "curves": curves,
    }


def headline(results: Path) -> dict[str, Any]:
    """Ratio -> what the compressor that ships keeps, from its own result files.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing, or of other weights than those that ship.
    """
    ships = open_checkpoint(SHIPPED / SHIPS).state.sha256[MODEL]
    frozen = {}
    for name, measured in zip(HEADLINES, by_ratio(results), strict=True):
        if measured.checkpoint_sha256 != ships:
            raise LatentcompError(
                f"{results / name} is of other weights than those that ship; measure them with "
                f"`latentcomp evaluate --phase {phase_of(SHIPS)} --ratio {measured.ratio:g} "
                f"--json {name}`"
            )
        kept = measured.overall.retention["compressed"]
        frozen[f"{measured.ratio:g}"] = {
            "retention": kept.point,
            "low": kept.low,
            "high": kept.high,
            "shuffled": measured.overall.accuracy["shuffled"].point,
            "floor": measured.overall.accuracy["floor"].point,
            "phase": phase_of(SHIPS),
            "documents": measured.documents,
            "documents_seed": measured.seed,
            "training_seeds": list(measured.training_seeds),
            "file": name,
        }
    return frozen


def _curve(trial: Path) -> list[dict[str, float]]:
    """Every so many steps, and the last: loss of the answers over seconds of training."""
    lines = read_curve(trial)
    kept = [line for line in lines if line["step"] % CURVE_STEPS == 0 or line is lines[-1]]
    return [{name: line[name] for name in CURVE_FIELDS} for line in kept]


def _figures(measured: Measured) -> dict[str, Any]:
    result = measured.result
    recorded = read_record(EvaluationResult, measured.folder.result)
    return {
        "documents": result.documents,
        "questions": result.questions,
        "documents_seed": result.seed,
        "training_seeds": list(result.training_seeds),
        "ratio": result.ratio,
        "tokens_per_latent": result.tokens_per_latent,
        "steps": result.steps,
        "retention": result.overall.retention["compressed"].model_dump(mode="json"),
        "above_undated": _above_undated(result),
        "beginnings": result.beginnings,
        "dtype": result.dtype,
        "arms": {arm: each.model_dump(mode="json") for arm, each in result.arms.items()},
        "families": {
            name: cell.retention["compressed"].model_dump(mode="json")
            for name, cell in result.families.items()
        },
        "stale_rate": result.overall.stale_rate["compressed"].model_dump(mode="json"),
        "bytes": result.bytes.model_dump(mode="json"),
        "checkpoint_sha256": result.checkpoint_sha256,
        "provenance": portable(recorded.provenance),
    }


def _above_undated(result: EvaluationResult) -> dict[str, Any] | None:
    """Over the questions that need days: latents minus the text as it ships, where it differs."""
    above = result.above_undated.get("compressed")
    return None if above is None else above.model_dump(mode="json")


def portable(provenance: dict[str, Any]) -> dict[str, Any]:
    """The same without the folders of the machine: of an absolute path its last two parts."""
    argv = [
        "/".join(Path(word).parts[-2:]) if Path(word).is_absolute() else word
        for word in provenance.get("argv", [])
    ]
    return {**provenance, "argv": argv}


if __name__ == "__main__":
    main()
