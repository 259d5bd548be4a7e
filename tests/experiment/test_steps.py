"""Phase 6 is judged on beginnings of documents, and every other phase on whole ones."""

from pathlib import Path

import pytest

from latentcomp.commands.evaluate import EvaluateOptions
from latentcomp.commands.sweep import is_measured
from latentcomp.common.errors import PhaseError
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.catalogue import known_steps, steps_of
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.looks import read_looks
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder

from . import runs

SEEDS = (0, 1, 2)
STEPS = phase(6).steps
RIGHT = 0.9


@pytest.fixture
def asked(monkeypatch):
    """A small lab whose questions say from when on they can be asked."""
    runs.small_lab(monkeypatch)
    runs.ask_on_the_way(monkeypatch)


def measured(run, number, steps, **shares):
    """Trials of a phase, each measured on as many beginnings."""
    runs.save_phase(run, number, SEEDS, steps=steps, **{"compressed": RIGHT} | shares)


@pytest.fixture
def run(asked, tmp_path):
    folder = RunFolder(tmp_path / "run")
    measured(folder, 5, STEPS)
    return folder


def test_the_gate_counts_whole_documents(run):
    measured(run, 6, STEPS)
    verdict = judge_phase(run, 6)
    result = EvaluationResult.read(run.trial("phase-6", 0).evaluations()[0].result)
    assert (verdict.status, verdict.counts, verdict.documents) == ("passed", True, runs.DOCUMENTS)
    assert result.beginnings > 2 * runs.DOCUMENTS
    clusters = {each.measure: each.interval.clusters for each in verdict.criteria if each.interval}
    assert clusters["retention_gain"] == runs.DOCUMENTS >= clusters["stale_rate"] > 20
    assert {look.documents for look in read_looks(run)} == {runs.DOCUMENTS}


@pytest.mark.parametrize(
    ("shares", "status", "measure"),
    [({"compressed": 0.6}, "failed", "retention_gain"), ({"shuffled": 0.3}, "inconclusive", "")],
)
def test_a_memory_that_keeps_less_fails(run, shares, status, measure):
    measured(run, 6, STEPS, **shares)
    verdict = judge_phase(run, 6)
    assert verdict.status == status and verdict.reason.startswith(measure)


@pytest.mark.parametrize("steps", [None, 3])
def test_what_was_read_otherwise_is_no_evidence_of_phase_6(run, steps):
    measured(run, 6, steps)
    said = "whole documents" if steps is None else "3 beginnings of each document"
    with pytest.raises(PhaseError, match=f"measured on {said}, and the phase asks for 4 begin"):
        judge_phase(run, 6)


def test_a_reference_on_whole_documents_is_no_reference_and_the_command_helps(asked, tmp_path):
    run = RunFolder(tmp_path / "run")
    measured(run, 5, None)
    measured(run, 6, STEPS)
    with pytest.raises(PhaseError, match=r"evaluate --recipe phase-5 .*--steps 4"):
        judge_phase(run, 6)


def test_beginnings_are_no_evidence_of_another_phase(run):
    measured(run, 4, STEPS)
    for number in (4, 5):
        with pytest.raises(PhaseError, match="measured on 4 beginnings of each document, and"):
            judge_phase(run, number)


def test_answers_of_another_number_of_beginnings_are_seen(run):
    """The documents are made again from what the record says of them."""
    measured(run, 6, STEPS)
    folder = run.trial("phase-6", 0).evaluations()[0]
    result = EvaluationResult.read(folder.result)
    assert result.corpus is not None
    forged = result.corpus.model_copy(update={"steps": 2})
    result.model_copy(update={"corpus": forged}).write(folder.result)
    with pytest.raises(PhaseError):
        judge_phase(run, 6)


def test_a_sweep_knows_what_was_read(run):
    trial = run.trial("phase-5", 0)
    assert is_measured(trial, runs.DOCUMENTS, 7, STEPS)
    assert not is_measured(trial, runs.DOCUMENTS, 7)
    assert not is_measured(trial, runs.DOCUMENTS, 7, 3)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"phase": 6}, 4),
        ({"recipe": "phase-6"}, 4),
        ({"phase": 6, "steps": 2}, 2),
        ({"phase": 6, "steps": 1}, None),
        ({"phase": 6, "corpus": Path("mine")}, None),
        ({"phase": 5}, None),
        ({"phase": 5, "steps": 4}, 4),
        ({"recipe": "my-own", "steps": 3}, 3),
        ({}, None),
    ],
)
def test_beginnings_are_those_of_the_phase_or_as_given(given, steps):
    assert EvaluateOptions(**given).request().steps == steps


def test_who_is_measured_on_what():
    assert [steps_of(f"phase-{n}") for n in range(1, 9)] == [*[None] * 5, 4, None, None]
    assert known_steps("phase-5") == {None, 4} and known_steps("phase-6") == {4}
    assert known_steps("phase-4") == {None} and known_steps("ablation-no-time") == {None}
