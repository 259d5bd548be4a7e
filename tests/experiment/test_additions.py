"""What CONTRIBUTING promises of additions: one literal, or one function and one row, and no more.

A new arm, scorer and kind of compressor are added in tests/evaluate and tests/train, a new row of
the grid in tests/commands.
"""

import json
import sys

import pytest

from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.experiment import phases
from latentcomp.experiment.gates import EXISTENCE, Criterion, Gate
from latentcomp.experiment.history import read_history
from latentcomp.experiment.phases import Phase, phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.train.log import read_curve
from latentcomp.train.objectives import OBJECTIVES, Objective

from ..extract.command_line import run_command
from . import script

TINY = ("--steps", 2, "--batch-size", 1, "--question-tokens", 96, "--device", "cpu")
COARSE = Phase(
    9,
    "coarse",
    "does anything survive without time, at twice the ratio",
    phase(4).recipe.changed({"model.time": False, "ratios": (8.0,)}, name="phase-9"),
    Gate((Criterion("retention", "low", 0.20),), EXISTENCE),
)
"""All that somebody writes who adds a phase: a literal of `PHASES`, in experiment/phases.py."""


@pytest.fixture
def latentcomp(capsys, run, deep):
    """Runs a command in the run of the tiny teacher; it must end well."""
    corpus = read_corpus(run / "corpus")
    write_corpus(run / "corpus", corpus.documents, {"preset": "lab", "split": "train"})

    def made(command, *options):
        models = {"train": ["--reasoner", deep], "evaluate": ["--teacher", deep]}
        ran = run_command(capsys, command, "--run", run, *models.get(command, []), *options)
        assert ran.code == 0, ran.err
        return ran.out

    return made


def test_a_phase_is_one_literal(latentcomp, capsys, run, deep, monkeypatch):
    """It waits for its turn, is trained, measured, judged by its own gate and reported."""
    script.everywhere(monkeypatch, sys.modules, "PHASES", phases.PHASES, (*phases.PHASES, COARSE))
    early = run_command(capsys, "train", "--phase", 9, "--run", run, "--reasoner", deep, *TINY)
    assert "phase 9 needs a verdict on phase 8 first" in early.error
    latentcomp("train", "--phase", 9, "--skip-order", *TINY)
    shown = latentcomp("evaluate", "--phase", 9, "--documents", 2, "--device", "cpu")
    assert "ratio 8x nominal" in shown and "phase 9: inconclusive" in shown
    (verdict,) = read_history(RunFolder(run), 9)
    assert (verdict.phase, verdict.ratio, verdict.thin) == (9, 8.0, True)
    assert verdict.gate_sha256 == COARSE.gate.sha256
    assert [(one.measure, one.threshold) for one in verdict.criteria] == [("retention", 0.20)]
    assert verdict.skipped == tuple(range(1, 9))
    latentcomp("report")
    assert "## Phase 9:" in (RunFolder(run).report / "report.md").read_text()


def test_an_objective_on_latents_is_one_function_and_one_row(latentcomp, run, monkeypatch):
    seen = []

    def small_latents(step):
        """Mean square of the latents that are no padding."""
        real = step.compressed.z_BKE[step.compressed.mask_BK]
        assert real.requires_grad
        seen.append(real.detach().square().mean().item())
        return real.square().mean()

    options = ("--phase", 1, "--set", "objectives.small_latents=0.5", *TINY)
    with monkeypatch.context() as patch:
        patch.setitem(OBJECTIVES, "small_latents", Objective(small_latents))
        latentcomp("train", *options, "--name", "small")
    trial = RunFolder(run).trial("small", 0)
    assert json.loads(trial.record.read_text())["recipe"]["objectives"] == {
        "answer": 1.0,
        "small_latents": 0.5,
    }
    curve = read_curve(trial.path)
    assert [line["small_latents"] for line in curve] == pytest.approx(seen) and len(seen) == 2
    for line in curve:
        assert line["loss"] == pytest.approx(line["answer"] + 0.5 * line["small_latents"])
    latentcomp("train", "--phase", 1, *TINY, "--name", "plain")
    plain = RunFolder(run).trial("plain", 0)
    assert trial.weights_sha256() != plain.weights_sha256(), "it taught something"
