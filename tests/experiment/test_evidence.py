"""Evidence is recomputed, not believed: whoever edits a file changes no verdict."""

import json
import shutil
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentcomp.common import atomic
from latentcomp.common.errors import LatentcompError, PhaseError
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.records import Document
from latentcomp.evaluate.held_out import held_out
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, read_source, write_answers
from latentcomp.experiment import evidence
from latentcomp.experiment.evidence import evidence_of_one, load_evaluation
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.order import require, standing_verdicts
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import write_report
from latentcomp.train import checkpoint

from . import runs


@pytest.fixture(scope="module")
def failed_once(small_lab, tmp_path_factory):
    """A run in which phase 1 was measured on all that the plan asks for, and failed."""
    run = RunFolder(tmp_path_factory.mktemp("failed") / "run")
    runs.save_phase(run, 1, compressed=0.02)
    assert judge_phase(run, 1).status == "failed"
    return run.path


@pytest.fixture
def failed(failed_once, tmp_path):
    return RunFolder(shutil.copytree(failed_once, tmp_path / "run"))


def only(run, name="phase-1", seed=0):
    """The trial and its one evaluation."""
    trial = run.trial(name, seed)
    (folder,) = trial.evaluations()
    return trial, folder


def edit_json(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def report_of(run):
    return write_report(run.path).with_name("report.md").read_text()


def flattering(record):
    """Figures that would pass."""
    for cell in (record["overall"], *record["families"].values()):
        for arm in cell["accuracy"]:
            cell["accuracy"][arm]["point"] = 0.99 if arm in ("compressed", "ceiling") else 0.0
        for kept in cell["retention"].values():
            kept |= {"point": 0.99, "low": 0.98, "high": 1.0}
    record |= {"retention": 0.99, "retention_low": 0.98, "retention_high": 1.0, "accuracy": 0.99}
    for name in record["contrasts"]:
        low = -0.01 if name == "shuffled_minus_floor" else 0.9
        record["contrasts"][name] |= {"point": low + 0.01, "low": low, "high": low + 0.02}


def test_figures_are_those_of_the_answers(failed):
    trial, folder = only(failed)
    measured = load_evaluation(trial, folder)
    assert measured.remarks == ()
    recorded = EvaluationResult.read(folder.result)
    assert measured.result.to_json() == recorded.to_json()
    taken = evidence_of_one(measured, phase_ratio=4.0, below_budget="")
    assert (taken.documents, taken.questions) == (runs.DOCUMENTS, recorded.questions)
    assert (taken.seed, taken.ratio, taken.steps) == (7, 4.0, 200)
    assert recorded.corpus and taken.corpus_sha256 == recorded.corpus.sha256
    assert taken.checkpoints == {"phase-1/seed-0": trial.weights_sha256()}
    assert taken.arms == tuple(recorded.arms)
    assert taken.measures["retention"].interval == recorded.overall.retention["compressed"]


def test_an_edited_evaluation_changes_no_verdict_and_is_remarked(failed):
    trial, folder = only(failed)
    edit_json(folder.result, flattering)
    assert judge_phase(failed, 1).status == "failed"
    assert standing_verdicts(failed)[1].status == "failed"
    text = report_of(failed)
    assert "was changed after it was written" in text
    assert "## Phase 1: Failed" in text and "99 %" not in text and "0.990 [" not in text


def test_an_edited_verdict_stands_no_longer_and_is_remarked(failed):
    def passing(record):
        record |= {"status": "passed", "reason": "retention 0.99 [0.98, 1.00] lies above 0.10"}

    edit_json(failed.verdicts(1), passing)
    failed.verdicts(1).write_text(failed.verdicts(1).read_text() + "\n")
    lines: list[str] = []
    assert standing_verdicts(failed, None, lines.append) == {}
    assert "it says passed, and its answers say failed" in lines[0]
    text = report_of(failed)
    assert "unlocks nothing any more" in text and "it says passed" in text
    assert "Phase 1: Passed" not in text


def test_a_verdict_edited_together_with_its_evaluation_stands_no_longer(failed):
    """What was done to 0.1: the report said `passed, 99 %`."""
    _, folder = only(failed)
    edit_json(folder.result, flattering)
    test_an_edited_verdict_stands_no_longer_and_is_remarked(failed)


def rewrite(folder, change):
    """Write the answers again as somebody who edits them would, with their source."""
    source = read_source(folder.answers)
    write_answers(folder.answers, [change(row) for row in read_answers(folder.answers)], source)


@pytest.mark.parametrize(
    "edit",
    [
        lambda row: replace(row, correct=True, stale=False),
        lambda row: replace(row, answer=row.prediction, correct=True, stale=False),
    ],
    ids=["correct", "answer and correct"],
)
def test_edited_columns_of_the_answers_change_no_verdict(failed, edit):
    """Predictions are scored again against the documents, which are generated again."""
    trial, folder = only(failed)
    before = load_evaluation(trial, folder).result
    rewrite(folder, lambda row: edit(row) if row.arm == "compressed" else row)
    assert all(row.correct for row in read_answers(folder.answers) if row.arm == "compressed")
    assert load_evaluation(trial, folder).result.to_json() == before.to_json()
    assert "failed" in judge_phase(failed, 1).status
    text = report_of(failed)
    assert "## Phase 1: Failed" in text or "unlocks nothing" in text


def test_answers_that_were_changed_after_the_verdict_take_it_with_them(passed):
    """Its hash of the file of answers no longer fits, whatever these answers say."""
    _, folder = only(passed)
    rewrite(folder, lambda row: replace(row, prediction=f" {row.prediction}"))
    lines: list[str] = []
    assert standing_verdicts(passed, None, lines.append) == {}
    assert "answers" in lines[0] and "changed" in lines[0]


def test_edited_predictions_pass_no_gate_unseen(failed):
    """They cannot be told from given ones, but the verdict that was made stays, and is final."""
    trial, folder = only(failed)
    questions = {
        (document.document_id, question.question_id): question.answer
        for document in held_out(None, "lab", runs.DOCUMENTS, 7, 3).documents
        for question in document.questions
    }
    rewrite(
        folder,
        lambda row: (
            replace(row, prediction=questions[row.document_id, row.question_id])
            if row.arm == "compressed"
            else row
        ),
    )
    judge_phase(failed, 1)
    assert all(verdict.status != "passed" for verdict in standing_verdicts(failed).values())
    history = read_history(failed, 1)
    assert history[0].status == "failed" and len(history) == 2


def missing_question(rows):
    first = rows[0]
    return [row for row in rows if (row.arm, row.question_id) != (first.arm, first.question_id)]


def invented_question(rows):
    return [*rows, replace(rows[0], question_id="invented")]


def answered_twice(rows):
    return [*rows, rows[0]]


@pytest.mark.parametrize("edit", [missing_question, invented_question, answered_twice])
def test_answers_to_other_questions_are_refused(passed, edit):
    trial, folder = only(passed)
    rows, source = read_answers(folder.answers), read_source(folder.answers)
    write_answers(folder.answers, edit(rows), source)
    with pytest.raises((LatentcompError, ValueError)) as caught:
        load_evaluation(trial, folder)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, LatentcompError)


def test_answers_without_their_worst_documents_are_refused(passed):
    trial, folder = only(passed)
    rows, source = read_answers(folder.answers), read_source(folder.answers)
    wrong = [row.document_id for row in rows if row.arm == "compressed" and not row.correct]
    worst = max(wrong, key=wrong.count)
    write_answers(folder.answers, [row for row in rows if row.document_id != worst], source)
    with pytest.raises(LatentcompError, match="not answered by the arm"):
        load_evaluation(trial, folder)


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint_sha256": "f" * 64},
        {"corpus": {"sha256": "f" * 64, "preset": "lab", "split": "test", "seed": 7}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_answers_of_other_weights_or_documents_are_refused(passed, change):
    trial, folder = only(passed)
    edit_json(folder.result, lambda record: record.update(change))
    with pytest.raises(LatentcompError, match=r"evaluation\.json and answers\.parquet") as caught:
        load_evaluation(trial, folder)
    assert "\n" not in str(caught.value)
    assert standing_verdicts(passed) == {}


@pytest.mark.parametrize("field", ["seed", "preset"])
def test_documents_that_cannot_be_had_again_give_no_verdict(failed, field):
    """Else `correct` would be believed, and it is easily edited."""
    trial, folder = only(failed)
    rewrite(folder, lambda row: replace(row, correct=row.arm in ("compressed", "ceiling")))
    value = {"seed": 8, "preset": "no such"}[field]
    edit_json(folder.result, lambda record: record["corpus"].update({field: value}))
    measured = load_evaluation(trial, folder)
    assert "cannot be had again" in measured.remarks[0]
    failed.verdicts(1).unlink()
    with pytest.raises(PhaseError, match="cannot be had again") as caught:
        judge_phase(failed, 1)
    assert "\n" not in str(caught.value)
    assert "cannot be had again" in report_of(failed)


@pytest.mark.parametrize(
    "change", [{"ratio": 8.0}, {"tokens_per_latent": 9.9}, {"documents": 41}], ids=str
)
def test_what_an_evaluation_claims_of_its_sizes_is_not_believed(passed, change):
    """The ratio is that of the answers, and vectors are counted in what the reasoner read."""
    trial, folder = only(passed)
    before = load_evaluation(trial, folder)
    edit_json(folder.result, lambda record: record.update(change))
    after = load_evaluation(trial, folder)
    for name in ("ratio", "tokens_per_latent", "documents"):
        assert getattr(after.result, name) == getattr(before.result, name)
    assert after.remarks and not before.remarks


def test_seeds_that_an_evaluation_claims_are_those_of_its_trial(passed):
    trial, folder = only(passed)
    edit_json(folder.result, lambda record: record.update(training_seeds=[0, 1, 2]))
    measured = load_evaluation(trial, folder)
    assert evidence_of_one(measured, phase_ratio=4.0, below_budget="").seeds == (0,)


def test_given_documents_are_read_again_where_they_are(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    trial = runs.save_trial(run, phase(1).recipe)
    given: tuple[Document, ...] = held_out(None, "lab", 4, 3, 3).documents
    write_corpus(tmp_path / "mine", given, {"source": "somebody"})
    held = held_out(tmp_path / "mine", "lab", 4, 3)
    rows = runs.script(held.documents, {"compressed": 0.6, "ceiling": 0.98})
    result = EvaluationResult.from_scores(rows, seed=3, ratio=4.0).model_copy(
        update={"corpus": held.source, "checkpoint_sha256": trial.weights_sha256()}
    )
    folder = runs.keep(trial, run, result, rows)
    assert load_evaluation(trial, folder).remarks == ()
    shutil.rmtree(tmp_path / "mine")
    evidence._scored.cache_clear()  # as in another process
    gone = load_evaluation(trial, folder)
    assert gone.documents_gone and "cannot be had again" in gone.remarks[0]


@pytest.mark.parametrize(("recorded", "version"), [(None, 3), (3, 3), (4, 4)])
def test_generated_documents_are_made_again_by_their_own_generator(
    small_lab, tmp_path, recorded, version
):
    run = RunFolder(tmp_path / "run")
    trial = runs.save_trial(run, phase(1).recipe)
    held = held_out(None, "lab", 4, 3, version)
    rows = runs.script(held.documents, {"compressed": 0.6, "ceiling": 0.98})
    source = held.source.model_copy(update={"generator": recorded})
    result = EvaluationResult.from_scores(rows, seed=3, ratio=4.0).model_copy(
        update={"corpus": source, "checkpoint_sha256": trial.weights_sha256()}
    )
    measured = load_evaluation(trial, runs.keep(trial, run, result, rows))
    assert not measured.documents_gone and measured.remarks == ()


def test_an_evaluation_of_weights_that_were_replaced_is_shown_and_not_judged(passed):
    runs.save_trial(passed, phase(1).recipe, weights=b"others")
    trial, folder = only(passed)
    assert load_evaluation(trial, folder).state is None
    with pytest.raises(PhaseError, match="holds other weights by now"):
        judge_phase(passed, 1)


@pytest.mark.parametrize("name", ["answers.parquet", "evaluation.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_evaluation_is_one_line(passed, name, damage):
    trial, folder = only(passed)
    file = folder.path / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(LatentcompError) as caught:
        load_evaluation(trial, folder)
    assert str(file) in str(caught.value) or str(folder.path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_gate_of_today_judges_what_was_judged_by_an_older_one(passed, monkeypatch):
    """A verdict is bound to the hash of its gate; a stricter gate is not outlived."""
    from latentcomp.experiment import gates

    made = read_history(passed, 1)[-1]
    assert made.gate_sha256 == phase(1).gate.sha256
    monkeypatch.setattr(gates, "HEADROOM", 0.99)
    assert phase(1).gate.sha256 != made.gate_sha256
    lines: list[str] = []
    assert standing_verdicts(passed, None, lines.append) == {}
    assert "too little headroom" in lines[0]


def test_three_trainings_of_one_step_open_nothing(small_lab, tmp_path):
    """Even measured on everything that the plan asks for: until 0.1 they opened phase 4."""
    run = RunFolder(tmp_path)
    for number in (1, 2, 3):
        recipe = phase(number).recipe.changed({"budget.steps": 1})
        for seed in (0, 1, 2):
            runs.save_evaluation(runs.save_trial(run, recipe, seed), run)
        verdict = judge_phase(run, number)
        assert (verdict.thin, verdict.counts, verdict.status) == (True, False, "inconclusive")
        assert "trained for 1 steps at no size of the catalogue" in verdict.reason
    verdicts = standing_verdicts(run)
    assert set(verdicts) == {1, 2, 3}, "they are shown"
    for number in (2, 3, 4):
        with pytest.raises(PhaseError, match=f"on phase {number - 1} that counts"):
            require(number, verdicts, run=run)
    assert require(4, verdicts, run=run, skip=True) == (1, 2, 3)


def test_a_column_of_another_type_is_one_line(passed):
    trial, folder = only(passed)
    rows = [asdict(row) for row in read_answers(folder.answers)]
    table = pa.Table.from_pylist([{"arm": row["arm"]} for row in rows])
    atomic.write_parquet(folder.answers, table.replace_schema_metadata(_metadata(folder)))
    with pytest.raises(LatentcompError, match="not a readable file of answers"):
        load_evaluation(trial, folder)


def _metadata(folder):
    return pq.read_schema(folder.answers).metadata


def test_the_weights_are_named_as_they_lie_there(passed):
    trial, folder = only(passed)
    state = load_evaluation(trial, folder).state
    assert state is not None and state.sha256[checkpoint.MODEL] == trial.weights_sha256()
