"""`evaluate_trials` from trained checkpoints to their files: what is measured, kept, refused."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latentcomp.commands import answering, evaluation, evaluation_notes, result_files, subjects
from latentcomp.commands.evaluation import EvaluationRequest, evaluate_teacher, evaluate_trials
from latentcomp.commands.trials import TrialRequest, train_trial
from latentcomp.common.errors import (
    CheckpointError,
    CorpusError,
    LatentcompError,
    PhaseError,
    UsageError,
)
from latentcomp.common.terminal import DEFAULT_RUN
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.evaluate import answers, suite
from latentcomp.evaluate import held_out as documents
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.heading import documents_line, heading
from latentcomp.evaluate.ranking import read_ranking
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, read_source
from latentcomp.experiment.eligibility import is_finished
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.looks import machine_log, read_looks
from latentcomp.experiment.order import standing_verdicts
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.reasoner.generate import greedy_answers
from latentcomp.report import write_report
from latentcomp.train import checkpoint

from ..train import tiny

SHORT = {"data.batch_size": 1, "data.question_tokens": 96, "optimiser.lr": 1e-3}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A hundred tokens a document instead of five hundred, two questions, answers of a token."""

    def few(preset, split, count, seed):
        made = [tiny.story(100 * seed + i, chunks=2, split=split).document for i in range(count)]
        return [replace(one, questions=one.questions[:2]) for one in made]

    made_here = SimpleNamespace(generate=few)
    monkeypatch.setattr(documents, "generator", lambda version: made_here)
    monkeypatch.setattr(answers, "answer_limit", lambda lm, documents: 1)
    for module in (evaluation, evaluation_notes):
        monkeypatch.setattr(module, "answer_limit", lambda lm, documents: 1)
    monkeypatch.setattr(evaluation_notes, "limit_notes", lambda *given: ())
    monkeypatch.setattr(evaluation_notes, "smoke_test", lambda recipe: "")


def train(run, deep, number=1, on_step=lambda figures: None, steps=1, changes=None, **others):
    fields = SHORT | {"budget.steps": steps} | (changes or {})
    given: dict[str, Any] = {"reasoner": str(deep), "device": "cpu", "save_every": 1}
    recipe = phase(number).recipe
    return train_trial(TrialRequest(run, recipe, fields, **(given | others)), on_step)


@pytest.fixture(scope="module")
def trained(deep, tmp_path_factory):
    """A run folder with phase 1 trained for one step on documents of the training split."""
    run = tiny.write_run(
        tmp_path_factory.mktemp("trained"), deep, tiny.documents(3), tiny.layers(3, 15, 27)
    )
    write_corpus(run / "corpus", tiny.documents(3), {"preset": "lab", "split": "train"})
    train(run, deep)
    return run


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def request_of(run, deep):
    def make(number=1, **changes):
        given: dict[str, Any] = {
            "recipe": phase(number).recipe.name,
            "documents": 2,
            "teacher": str(deep),
            "reasoner": str(deep),
            "device": "cpu",
        }
        return EvaluationRequest(run, **(given | changes))

    return make


@pytest.fixture
def mine(tmp_path):
    """Two short documents of the test split, as somebody's own corpus."""
    given = [replace(one, questions=one.questions[:2]) for one in tiny.documents(2, 2, "test")]
    path = tmp_path / "mine"
    write_corpus(path, given, {"source": "somebody"})
    return path


def evaluate(request):
    """The one result of a request."""
    (result,) = evaluate_trials(request)
    return result


def refusal(request, kind):
    with pytest.raises(kind) as caught:
        evaluate_trials(request)
    text = str(caught.value)
    assert "\n" not in text
    return text


def judged(run, number=1):
    return judge_phase(RunFolder(run), number)


def only(run, name="phase-1", seed=0):
    """The trial and its one evaluation."""
    trial = RunFolder(run).trial(name, seed)
    (folder,) = trial.evaluations()
    return trial, folder


def test_what_an_evaluation_leaves_behind(request_of, run):
    arms: list[str] = []
    (result,) = evaluate_trials(request_of(seed=5), lambda arm, count: arms.append(arm))
    trial, folder = only(run)
    assert {"states", *REQUIRED_ARMS} <= set(arms)
    assert EvaluationResult.read(folder.result).to_json() == result.to_json()
    assert folder.path.parent == trial.path / "evaluations"
    assert (result.phase, result.documents, result.seed, result.ratio) == (1, 2, 5, 4.0)
    assert set(REQUIRED_ARMS) <= result.arms.keys()
    assert (result.steps, result.finished, result.training_seeds) == (1, True, (0,))
    assert result.unjudged == ""
    assert result.checkpoint_sha256 == trial.weights_sha256()
    verdict = judged(run)
    assert (verdict.status, verdict.thin, verdict.counts) == ("inconclusive", True, False)
    assert "2 documents, the plan asks for at least 200" in verdict.reason
    assert (verdict.seed, verdict.ratio, verdict.steps, verdict.finished) == (5, 4.0, 1, False)
    assert verdict.checkpoint_sha256 == result.checkpoint_sha256
    assert verdict.checkpoints == {"phase-1/seed-0": result.checkpoint_sha256}
    assert list(verdict.evaluations) == [str(folder.path.relative_to(run))]
    assert [one.model_dump_json() for one in read_history(RunFolder(run), 1)] == [
        verdict.model_dump_json()
    ]


def test_every_result_names_its_documents(request_of, run):
    result = evaluate(request_of(seed=5))
    assert result.corpus is not None and result.corpus.path is None
    assert (result.corpus.preset, result.corpus.split, result.corpus.seed) == ("lab", "test", 5)
    inputs = result.provenance["inputs"]
    assert inputs["corpus"] == result.corpus.sha256
    trial, folder = only(run)
    assert inputs["checkpoint"] == trial.weights_sha256()
    source = read_source(folder.answers)
    assert (source.checkpoint, source.reasoner) == (inputs["checkpoint"], inputs["reasoner"])
    assert (source.corpus, source.ratio) == (inputs["corpus"], 4.0)
    assert len(read_answers(folder.answers)) == result.questions * len(result.arms)


def test_every_trial_is_measured_on_the_same_documents_or_those_that_are_named(
    request_of, run, deep
):
    train(run, deep, seed=2)
    train(run, deep, seed=5)
    results = evaluate_trials(request_of())
    assert [result.training_seeds for result in results] == [(0,), (2,), (5,)]
    assert [result.subject for result in results] == [f"training seed {n}" for n in (0, 2, 5)]
    assert len({result.corpus.sha256 for result in results if result.corpus}) == 1
    assert len({result.checkpoint_sha256 for result in results}) == 3
    some = evaluate_trials(request_of(training_seeds=(2,), seed=9))
    assert [result.training_seeds for result in some] == [(2,)]
    text = refusal(request_of(training_seeds=(2, 3)), CheckpointError)
    assert f"`latentcomp train --recipe phase-1 --seed 3 --run {run}` first" in text


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_evaluation_is_never_overwritten(request_of, run, mine):
    """Until 0.1 one with `--corpus` replaced the evaluation that had been judged."""
    evaluate(request_of())
    judged(run)
    trial, folder = only(run)
    before = files_of(trial.path)
    for request in (request_of(), request_of(corpus=mine), request_of(seed=2, ratios=(8.0,))):
        evaluate(request)
    after = files_of(trial.path)
    assert after.items() >= before.items()
    names = [each.path.name for each in trial.evaluations()]
    assert len(names) == 4 and names[0] == folder.path.name and names[1] == f"{names[0]}-2"
    assert standing_verdicts(RunFolder(run))[1].thin, "what was judged is there still"


def test_every_look_is_logged(request_of, run, mine, tmp_path):
    """Thin ones, given documents and checkpoints, and those of a copy of the run."""
    own = RunFolder(run).trial("phase-1", 0)
    evaluate(request_of(seed=5))
    evaluate(request_of(seed=5, corpus=mine))
    evaluate(request_of(seed=6, checkpoint=own.checkpoint))
    copy = shutil.copytree(run, tmp_path / "copy")
    evaluate(replace(request_of(seed=7), run=copy))
    looks = read_looks(RunFolder(run))
    assert [(look.trial, look.seed) for look in looks] == [
        ("phase-1/seed-0", 5),
        ("phase-1/seed-0", None),
        (str(own.checkpoint), 6),
        ("phase-1/seed-0", 7),
    ]
    assert {look.recipe for look in looks} == {"phase-1"}
    assert {look.checkpoint_sha256 for look in looks} == {own.weights_sha256()}
    assert looks[1].corpus_sha256 == read_corpus(mine).sha256
    assert {(look.documents, look.ratio) for look in looks} == {(2, 4.0)}
    assert len(machine_log().read_text().splitlines()) == 4
    assert len((run / "looks.jsonl").read_text().splitlines()) == 3


def test_figures_of_a_look_that_cannot_be_logged_are_not_shown(request_of, run):
    (run / "looks.jsonl").mkdir()
    with pytest.raises(LatentcompError):
        evaluate_trials(request_of())
    assert RunFolder(run).trial("phase-1", 0).evaluations() == ()


def test_no_verdict_on_given_documents(request_of, run, mine):
    result = evaluate(request_of(corpus=mine))
    assert "the documents were given" in result.unjudged
    assert documents_line(result) == f"2 documents of {mine}"
    assert result.corpus is not None
    assert result.corpus.sha256 == read_corpus(mine).sha256
    with pytest.raises(PhaseError, match="the documents were given"):
        judged(run)
    assert standing_verdicts(RunFolder(run)) == {}
    page = write_report(run).with_name("report.md").read_text()
    assert f"2 documents of {mine}, 4 questions." in page and "held-out" not in page
    assert "No verdict: the documents were given" in page


def test_the_documents_of_the_training_are_refused(request_of, run, mine):
    assert "trained on exactly these" in refusal(request_of(corpus=run / "corpus"), CorpusError)
    (seen, *_), others = read_corpus(run / "corpus").documents, read_corpus(mine).documents
    write_corpus(mine, (replace(seen, document_id="renamed"), *others), {})
    text = refusal(request_of(corpus=mine), CorpusError)
    assert "1 of 3 documents" in text and "'renamed'" in text
    assert RunFolder(run).trial("phase-1", 0).evaluations() == ()
    assert read_looks(RunFolder(run)) == (), "and nothing was looked at"


def rewrite(run, change, name="phase-1"):
    """Change what the checkpoint says of its trial."""
    file = checkpoint.open_checkpoint(RunFolder(run).trial(name, 0).checkpoint).folder
    state = json.loads((file / checkpoint.STATE).read_text())
    change(state["trial"])
    (file / checkpoint.STATE).write_text(json.dumps(state))


@pytest.mark.parametrize("meta", [{"split": "test"}, {"source": "somebody"}])
def test_no_verdict_after_a_training_on_another_split(request_of, run, meta):
    """As its checkpoint recorded it, or where that says nothing, as the run's corpus does."""
    write_corpus(run / "corpus", read_corpus(run / "corpus").documents, meta)
    for recorded in (meta.get("split"), None):
        rewrite(run, lambda trial, recorded=recorded: trial["data"].update(split=recorded))
        result = evaluate(request_of())
        assert "split" in result.unjudged
        with pytest.raises(PhaseError, match="split"):
            judged(run)


def test_no_verdict_on_a_checkpoint_that_is_not_the_runs_own(request_of, run, mine, monkeypatch):
    home = run.parent / "shipped"
    own = RunFolder(run).trial("phase-1", 0)
    shutil.copytree(own.checkpoint, home / "phase-1")
    given = evaluate(request_of(checkpoint=own.checkpoint, corpus=mine))
    assert "was given" in given.unjudged
    assert given.subject == f"checkpoint {own.checkpoint}"
    assert own.evaluations() == ()
    shutil.rmtree(own.path)
    monkeypatch.setattr(subjects, "SHIPPED", home)
    shipped = evaluate(request_of())
    assert "is shipped" in shipped.unjudged
    assert (shipped.phase, shipped.subject) == (1, "the shipped checkpoint")
    assert len(RunFolder(run).shipped("phase-1").evaluations()) == 1
    with pytest.raises(PhaseError, match="no evaluation"):
        judged(run)
    assert "is shipped" in write_report(run).with_name("report.md").read_text()


@pytest.mark.slow
class Stop(Exception):
    """Ends a session as a kill does."""


def test_a_verdict_is_on_the_weights_that_were_there(request_of, run, deep, capsys):
    """Stopped, judged, and trained on: the second half was never judged."""

    def stop(figures):
        if figures["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(run, deep, on_step=stop, steps=3, restart=True)
    result = evaluate(request_of())
    assert (result.steps, result.finished) == (1, False)
    first = judged(run)
    assert (first.finished, first.counts) == (False, False)
    assert "had not used its budget at step 1" in first.reason or "documents" in first.reason
    trial = train(run, deep, steps=3)
    assert trial.weights_sha256() != first.checkpoint_sha256
    with pytest.raises(PhaseError, match="phase 2 needs a verdict on phase 1"):
        train(run, deep, number=2)
    assert "left out, it is on weights" in capsys.readouterr().err
    assert "unlocks nothing any more" in write_report(run).with_name("report.md").read_text()
    evaluate(request_of())
    again = judged(run)
    assert again.number == 2
    with pytest.raises(PhaseError, match="on phase 1 that counts"):
        train(run, deep, number=2)
    train(run, deep, number=2, skip_order=True)
    record = json.loads(RunFolder(run).trial("phase-2", 0).record.read_text())
    assert record["skipped"] == [1], "two documents are no look at phase 1"


@pytest.mark.parametrize(
    ("finished", "budget", "step", "expected"),
    [
        (True, {"steps": 9}, 1, True),
        (False, {"steps": 1}, 1, False),
        (None, {"steps": 3}, 3, True),
        (None, {"steps": 3}, 2, False),
        (None, {"seconds": 50.0}, 70, False),
    ],
)
def test_when_a_training_is_finished(run, finished, budget, step, expected):
    state = checkpoint.open_checkpoint(RunFolder(run).trial("phase-1", 0).checkpoint).state
    trial = state.known_trial
    recipe = trial.recipe.changed({"budget.steps": None, "budget.seconds": None} | {
        f"budget.{name}": value for name, value in budget.items()
    })  # fmt: skip
    changes = {"finished": finished, "step": step}
    changes["trial"] = trial.model_copy(update={"recipe": recipe})
    assert is_finished(state.model_copy(update=changes)) is expected


def test_a_checkpoint_of_another_recipe_is_refused(request_of, run):
    own = RunFolder(run).trial("phase-1", 0).checkpoint
    text = refusal(request_of(3, checkpoint=own), CheckpointError)
    assert "a checkpoint of phase-1, not of phase-3; give --recipe phase-1" in text
    rewrite(run, lambda trial: trial["recipe"].update(depth=3))
    assert "depth" in refusal(request_of(), CheckpointError)


def test_a_checkpoint_in_the_folder_of_another_recipe_gets_no_verdict(request_of, run):
    own = RunFolder(run).trial("phase-1", 0)
    shutil.copytree(own.path, RunFolder(run).trial("phase-3", 0).path)
    evaluate(request_of(3))
    with pytest.raises(PhaseError, match="the recipe differs from phase-3"):
        judged(run, 3)


def test_a_changed_recipe_is_measured_as_it_was_trained_and_not_judged(request_of, run, mine):
    rewrite(run, lambda trial: trial["recipe"].update(ratios=[8.0]))
    assert evaluate(request_of(corpus=mine)).ratio == 8.0
    result = evaluate(request_of())
    assert "the recipe differs from phase-1 of the catalogue: ratios" in result.unjudged
    with pytest.raises(PhaseError, match="ratios"):
        judged(run)


def test_a_trial_under_another_name_is_measured_and_not_judged(request_of, run, deep):
    train(run, deep, name="mine")
    result = evaluate(request_of(recipe="mine"))
    assert "mine is no recipe of the catalogue" in result.unjudged
    assert (result.phase, result.subject) == (None, "mine, training seed 0")
    assert heading(result) == "mine, training seed 0: 2 held-out documents, seed 1"


def test_several_ratios_are_measured_as_each_would_be_alone(request_of, monkeypatch):
    """With the texts that know of no ratio read once."""
    alone = [evaluate(request_of(ratios=(ratio,))) for ratio in (8.0, 4.0)]
    read: list[str] = []
    answer_questions = answers.answer_questions

    def counted(lm, docs, prefixes, arm, **how):
        read.append(arm)
        return answer_questions(lm, docs, prefixes, arm, **how)

    monkeypatch.setattr(suite, "answer_questions", counted)
    together = evaluate_trials(request_of(ratios=(8.0, 4.0)))
    assert [result.ratio for result in together] == [8.0, 4.0]
    for one, other in zip(together, alone, strict=True):
        assert one.overall.accuracy == other.overall.accuracy
        assert one.tokens_per_latent == other.tokens_per_latent
        assert one.bytes == other.bytes and one.questions == other.questions
    assert [read.count(arm) for arm in ("ceiling", "floor", "compressed")] == [1, 1, 2]


def test_a_phase_is_judged_at_its_own_ratio_wherever_that_stands(request_of, run):
    """Also where others were asked for behind it; figures come in the order that was asked for."""
    results = evaluate_trials(request_of(ratios=(4.0, 8.0)))
    assert [result.ratio for result in results] == [4.0, 8.0]
    assert judged(run).ratio == 4.0


@pytest.mark.parametrize(
    ("ratios", "names"),
    [
        ((4.0,), ["out.json"]),
        ((4.0, 8.0, 2.5), ["out.json", "out_8x.json", "out_2.5x.json"]),
        ((4.0, 8.0, 4.0, 8.0), ["out.json", "out_8x.json"]),
        ((None,), ["out.json"]),
    ],
    ids=["one", "three", "two trials", "the teacher alone"],
)
def test_figures_of_further_ratios_go_to_files_beside(ratios, names):
    results = [SimpleNamespace(ratio=ratio, place=at) for at, ratio in enumerate(ratios)]
    files = result_files.files_of(Path("runs/out.json"), results)
    assert [str(file) for file in files] == [f"runs/{name}" for name in names]
    last = {ratio: at for at, ratio in enumerate(ratios)}
    assert [result.place for result in files.values()] == list(last.values())


def test_another_ratio_is_measured_and_not_gated(request_of, run):
    assert evaluate(request_of(ratios=(8.0,))).ratio == 8.0
    verdict = judged(run)
    assert verdict.thin and not verdict.counts


@pytest.mark.slow
def test_a_compressor_that_is_given_days_is_noted(request_of, run, deep, mine):
    dated = read_corpus(mine).documents
    silent = [
        replace(one, chunks=tuple(replace(c, text=c.text.partition(". ")[2]) for c in one.chunks))
        for one in dated
    ]
    write_corpus(mine, silent, {})
    assert evaluate(request_of(corpus=mine)).notes == (), "phase 1 knows no days"
    write_corpus(mine, silent, {"split": "train"})
    (note,) = evaluate(request_of(corpus=mine)).notes
    assert "of the split 'train'" in note
    write_corpus(mine, silent, {})
    train(run, deep, number=3, skip_order=True)
    (note,) = evaluate(request_of(3, corpus=mine)).notes
    assert "chunks do not name their day" in note


def test_candidates_are_ranked_on_request(request_of, run, mine):
    given = read_corpus(mine).documents
    wrong = [
        replace(one, questions=tuple(replace(q, stale_answers=("Bo",)) for q in one.questions))
        for one in given
    ]
    bare = [
        replace(one, questions=tuple(replace(q, stale_answers=()) for q in one.questions))
        for one in given
    ]
    write_corpus(mine, bare, {})
    assert "wrong answer to rank" in " ".join(evaluate(request_of(corpus=mine, rank=True)).notes)
    write_corpus(mine, wrong, {})
    plain = evaluate(request_of(corpus=mine))
    found = evaluate(request_of(corpus=mine, rank=True))
    assert plain.ranking is None and found.ranking is not None and plain.notes == found.notes
    assert found.ranking.by_mean.right.keys() == found.arms.keys()
    assert found.overall.accuracy == plain.overall.accuracy, "ranking changes no answer"
    kept = sorted(run.rglob("ranking.parquet"))
    assert len(kept) == 1
    rows = read_ranking(kept[0])
    assert {row.arm for row in rows} == set(found.arms)
    teacher = evaluate_teacher(request_of(corpus=mine, rank=True)).ranking
    assert teacher is not None
    assert teacher.by_mean.right["ceiling"] == found.ranking.by_mean.right["ceiling"]


def test_the_teacher_alone_names_its_documents_too(request_of, mine):
    result = evaluate_teacher(request_of(corpus=mine))
    assert documents_line(result) == f"2 documents of {mine}"
    assert result.provenance["inputs"]["corpus"] == read_corpus(mine).sha256
    assert result.unjudged == "" and result.checkpoint_sha256 is None
    assert heading(result) == f"teacher alone: 2 documents of {mine}"
    message = result.checks["shuffled_at_floor"].message
    assert message == "self-check not made: it needs the arm shuffled"


def test_the_teacher_alone_reads_the_text_as_it_ships_too(request_of, mine):
    given = read_corpus(mine).documents
    twins = [replace(c, dated_text=f"{c.text} Dated.") for c in given[0].chunks]
    write_corpus(mine, (replace(given[0], chunks=tuple(twins)), *given[1:]), {})
    result = evaluate_teacher(request_of(corpus=mine))
    assert result.arms.keys() == {"ceiling", "floor", "undated"}


def test_who_computed_the_answers_is_recorded(request_of, monkeypatch):
    answered = []

    @contextmanager
    def other(lm, documents, limit):
        def answer(*given, **named):
            answered.append(named["most_tokens"])
            return greedy_answers(*given, **named)

        yield answer
        answered.append("closed")

    monkeypatch.setitem(answering._BACKENDS, "vllm", other)
    theirs, ours = evaluate(request_of(backend="vllm")), evaluate(request_of())
    assert (theirs.backend, ours.backend) == ("vllm", "transformers")
    assert answered == [theirs.answer_tokens] * len(theirs.arms) + ["closed"]
    assert theirs.overall.accuracy == ours.overall.accuracy
    notes = [note for note in theirs.notes if "answered by vLLM" in note]
    assert len(notes) == 1 and {*theirs.notes} - {*notes} == {*ours.notes}
    alone = evaluate_teacher(request_of(backend="vllm"))
    assert alone.backend == "vllm" and notes[0] in alone.notes
    assert answered[-3:] == [alone.answer_tokens] * 2 + ["closed"]


def test_what_is_missing_is_one_line(request_of, monkeypatch, tmp_path):
    monkeypatch.setattr(subjects, "SHIPPED", tmp_path)
    text = refusal(request_of(4), CheckpointError)
    assert "`latentcomp train --recipe phase-4 --run " in text
    text = refusal(request_of(recipe="mine"), CheckpointError)
    assert "train it first, with --name mine, or give --recipe" in text and "phase-1" in text
    other = tiny.save_model(tmp_path / "other", blocks=4)
    assert "give the right --teacher" in refusal(request_of(teacher=str(other)), CheckpointError)


def test_a_mistyped_run_folder_measures_nothing_in_its_place(tmp_path, monkeypatch):
    """It measured the shipped compressor and made the folder; a reader's walk found it."""
    monkeypatch.chdir(tmp_path)
    typo = EvaluationRequest(run=tmp_path / "mien", recipe="phase-4")
    with pytest.raises(UsageError, match=r"mien: there is no such run folder; give --run"):
        subjects.subjects_of(typo)
    assert not typo.run.exists()
    (shipped,) = subjects.subjects_of(EvaluationRequest(run=DEFAULT_RUN, recipe="phase-4"))
    assert not shipped.own, "what the message advises"
    typo.run.mkdir()
    assert subjects.subjects_of(typo)[0].sha256 == shipped.sha256
