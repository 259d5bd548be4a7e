"""`evaluate_phase` from a trained checkpoint to its files: what is measured, judged, refused."""

import json
import shutil
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from latentcomp.commands import evaluation
from latentcomp.commands.evaluation import EvaluateRequest, evaluate_phase, evaluate_teacher
from latentcomp.commands.training import TrainRequest, train_phase
from latentcomp.common.errors import CheckpointError, CorpusError, PhaseError
from latentcomp.compressor import checkpoint
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.evaluate import answers
from latentcomp.evaluate import held_out as documents
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.history import FILE, read_history
from latentcomp.evaluate.order import read_verdicts
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, read_source
from latentcomp.reasoner.generate import greedy_answers
from latentcomp.report import write_report

from ..train import tiny


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A hundred tokens a document instead of five hundred, two questions, answers of a token."""

    def few(preset, split, count, seed):
        made = [tiny.story(100 * seed + i, chunks=2, split=split).document for i in range(count)]
        return [replace(one, questions=one.questions[:2]) for one in made]

    monkeypatch.setattr(documents, "generate", few)
    monkeypatch.setattr(answers, "greedy_answers", partial(greedy_answers, most_tokens=1))


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A teacher deep enough for the layers of the phases."""
    return tiny.save_model(tmp_path_factory.mktemp("deep") / "tiny-32", blocks=32)


def train(run, deep, number=1, on_step=lambda figures: None, steps=1, **changes):
    plan = tiny.plan(steps=steps, documents=1, save_every=1)
    return train_phase(
        TrainRequest(run, number, plan, reasoner=str(deep), device="cpu", **changes), on_step
    )


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
            "documents": 2,
            "teacher": str(deep),
            "reasoner": str(deep),
            "device": "cpu",
        }
        return EvaluateRequest(run, number, **(given | changes))

    return make


@pytest.fixture
def mine(tmp_path):
    """Two short documents of the test split, as somebody's own corpus."""
    given = [replace(one, questions=one.questions[:2]) for one in tiny.documents(2, 2, "test")]
    path = tmp_path / "mine"
    write_corpus(path, given, {"source": "somebody"})
    return path


def refusal(request, kind):
    with pytest.raises(kind) as caught:
        evaluate_phase(request)
    text = str(caught.value)
    assert "\n" not in text
    return text


def sha_of(run, number=1):
    state = checkpoint.open_checkpoint(run / "phases" / str(number) / "checkpoint").state
    return state.sha256[checkpoint.MODEL]


def test_what_an_evaluation_leaves_behind(request_of, run):
    told: list[str] = []
    found = evaluate_phase(request_of(seed=5), lambda arm, count: told.append(arm))
    result, verdict, folder = found.result, found.verdict, run / "phases" / "1"
    assert {"states", *REQUIRED_ARMS} <= set(told)
    assert EvaluationResult.read(folder / "evaluation.json").to_json() == result.to_json()
    assert (result.phase, result.documents, result.seed, result.ratio) == (1, 2, 5, 4.0)
    assert set(REQUIRED_ARMS) <= result.arms.keys()
    assert (result.steps, result.finished, result.training_seeds) == (1, True, (0,))
    assert verdict is not None and result.unjudged == ""
    assert (verdict.status, verdict.thin, verdict.counts) == ("inconclusive", True, False)
    assert "2 documents, the plan asks for at least 200" in verdict.reason
    assert (verdict.seed, verdict.ratio, verdict.steps, verdict.finished) == (5, 4.0, 1, True)
    assert verdict.checkpoint_sha256 == result.checkpoint_sha256 == sha_of(run)
    for recorded in (read_verdicts(run)[1], *read_history(folder / FILE)):
        assert recorded.model_dump_json() == verdict.model_dump_json()


def test_every_result_names_its_documents(request_of, run):
    result = evaluate_phase(request_of(seed=5)).result
    assert result.corpus is not None and result.corpus.path is None
    assert (result.corpus.preset, result.corpus.split, result.corpus.seed) == ("lab", "test", 5)
    inputs = result.provenance["inputs"]
    assert inputs["corpus"] == result.corpus.sha256
    assert inputs["checkpoint"] == sha_of(run)
    source = read_source(run / "phases" / "1" / "answers.parquet")
    assert (source.checkpoint, source.reasoner) == (inputs["checkpoint"], inputs["reasoner"])
    assert (source.corpus, source.ratio) == (inputs["corpus"], 4.0)
    rows = read_answers(run / "phases" / "1" / "answers.parquet")
    assert len(rows) == result.questions * len(result.arms)


def test_no_verdict_on_given_documents(request_of, run, mine):
    found = evaluate_phase(request_of(corpus=mine))
    assert found.verdict is None
    assert "the documents were given" in found.result.unjudged
    assert found.result.documents_line == f"2 documents of {mine}"
    assert found.result.corpus is not None
    assert found.result.corpus.sha256 == read_corpus(mine).sha256
    assert read_verdicts(run) == {}
    page = write_report(run).with_name("report.md").read_text()
    assert f"2 documents of {mine}, 4 questions." in page and "held-out" not in page
    assert "no verdict**: the documents were given" in page


def test_the_documents_of_the_training_are_refused(request_of, run, mine):
    assert "trained on exactly these" in refusal(request_of(corpus=run / "corpus"), CorpusError)
    (seen, *_), others = read_corpus(run / "corpus").documents, read_corpus(mine).documents
    write_corpus(mine, (replace(seen, document_id="renamed"), *others), {})
    text = refusal(request_of(corpus=mine), CorpusError)
    assert "1 of 3 documents" in text and "'renamed'" in text
    assert not (run / "phases" / "1" / "evaluation.json").exists()


@pytest.mark.parametrize("meta", [{"split": "test"}, {"source": "somebody"}])
def test_no_verdict_after_a_training_on_another_split(request_of, run, meta):
    """As its checkpoint recorded it, or where that says nothing, as the run's corpus does."""
    write_corpus(run / "corpus", read_corpus(run / "corpus").documents, meta)
    (file,) = (run / "phases" / "1" / "checkpoint").glob("step-*/state.json")
    state = json.loads(file.read_text())
    for recorded in (meta.get("split"), None):
        state["run"]["data"]["split"] = recorded
        file.write_text(json.dumps(state))
        found = evaluate_phase(request_of())
        assert found.verdict is None and "split" in found.result.unjudged


def test_no_verdict_on_a_checkpoint_that_is_not_the_runs_own(request_of, run, mine, monkeypatch):
    home = run.parent / "shipped"
    own = run / "phases" / "1" / "checkpoint"
    shutil.copytree(own, home / "phase-1")
    given = evaluate_phase(request_of(checkpoint=own, corpus=mine))
    assert given.verdict is None and "was given" in given.result.unjudged
    assert not (run / "phases" / "1" / "evaluation.json").exists()
    shutil.rmtree(own)
    monkeypatch.setattr(evaluation, "SHIPPED", home)
    shipped = evaluate_phase(request_of())
    assert shipped.verdict is None and "is shipped" in shipped.result.unjudged
    assert (run / "phases" / "1" / "evaluation.json").exists()
    assert not (run / "phases" / "1" / "verdict.json").exists()


def test_a_verdict_is_on_the_weights_that_were_there(request_of, run, deep, capsys):
    """Stopped, judged, and trained on: the second half was never judged."""

    class Stop(Exception):
        pass

    def stop(figures):
        if figures["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        train(run, deep, on_step=stop, steps=3, restart=True)
    found = evaluate_phase(request_of())
    assert (found.result.steps, found.result.finished) == (1, False)
    assert found.verdict is not None
    assert (found.verdict.finished, found.verdict.counts) == (False, False)
    train(run, deep, steps=3)
    assert sha_of(run) != found.verdict.checkpoint_sha256
    with pytest.raises(PhaseError, match="phase 2 needs a verdict on phase 1"):
        train(run, deep, number=2)
    assert "left out, it is on weights" in capsys.readouterr().err
    assert "unlocks nothing any more" in write_report(run).with_name("report.md").read_text()
    again = evaluate_phase(request_of()).verdict
    assert again is not None and (again.finished, again.number) == (True, 2)
    folder = train(run, deep, number=2)
    recorded = json.loads((folder / "run.json").read_text())
    assert recorded["skipped"] == [1], "two documents are no look at phase 1"


@pytest.mark.parametrize(
    ("finished", "plan", "step", "expected"),
    [
        (True, {"steps": 9}, 1, True),
        (False, {"steps": 1}, 1, False),
        (None, {"steps": 3}, 3, True),
        (None, {"steps": 3}, 2, False),
        (None, {"steps": None, "save_every": 50}, 70, True),
        (None, {"steps": None, "save_every": 50}, 100, False),
    ],
)
def test_when_a_training_is_finished(run, finished, plan, step, expected):
    state = checkpoint.open_checkpoint(run / "phases" / "1" / "checkpoint").state
    told = {"finished": finished, "step": step, "run": {"plan": plan}}
    assert evaluation._finished(state.model_copy(update=told)) is expected


def rewrite(run, **phase):
    """Change what the checkpoint says of its phase."""
    found = checkpoint.open_checkpoint(run / "phases" / "1" / "checkpoint")
    file = found.folder / checkpoint.STATE
    state = json.loads(file.read_text())
    state["run"]["phase"] |= phase
    file.write_text(json.dumps(state))


def test_a_checkpoint_of_another_phase_is_refused(request_of, run):
    own = run / "phases" / "1" / "checkpoint"
    text = refusal(request_of(3, checkpoint=own), CheckpointError)
    assert "a checkpoint of phase 1, not 3; give --phase 1" in text
    shutil.copytree(own, run / "phases" / "3" / "checkpoint")
    assert "of phase 1, not 3" in refusal(request_of(3), CheckpointError)
    rewrite(run, depth=3)
    assert "does not say which phase" in refusal(request_of(), CheckpointError)


def test_an_ablated_phase_is_measured_as_it_was_trained_and_not_judged(request_of, run, mine):
    rewrite(run, ratios=[8.0])
    found = evaluate_phase(request_of(corpus=mine))
    assert found.result.ratio == 8.0
    found = evaluate_phase(request_of())
    assert found.verdict is None and "differs from the catalog" in found.result.unjudged


def test_words_of_the_catalog_decide_nothing(request_of, run):
    rewrite(run, learns="said otherwise", title="once")
    assert evaluate_phase(request_of()).verdict is not None


def test_another_ratio_is_measured_and_not_gated(request_of):
    found = evaluate_phase(request_of(ratio=8.0))
    assert found.result.ratio == 8.0 and found.verdict is not None
    assert found.verdict.thin and not found.verdict.counts


def test_a_compressor_that_is_told_days_is_noted(request_of, run, deep, mine):
    dated = read_corpus(mine).documents
    silent = [
        replace(one, chunks=tuple(replace(c, text=c.text.partition(". ")[2]) for c in one.chunks))
        for one in dated
    ]
    write_corpus(mine, silent, {})
    assert evaluate_phase(request_of(corpus=mine)).result.notes == (), "phase 1 is told no days"
    write_corpus(mine, silent, {"split": "train"})
    (note,) = evaluate_phase(request_of(corpus=mine)).result.notes
    assert "of the split 'train'" in note
    write_corpus(mine, silent, {})
    train(run, deep, number=3, skip_order=True)
    (note,) = evaluate_phase(request_of(3, corpus=mine)).result.notes
    assert "chunks do not name their day" in note


def test_the_teacher_alone_names_its_documents_too(request_of, mine):
    result = evaluate_teacher(request_of(corpus=mine))
    assert result.documents_line == f"2 documents of {mine}"
    assert result.provenance["inputs"]["corpus"] == read_corpus(mine).sha256
    assert result.unjudged == "" and result.checkpoint_sha256 is None


def test_what_is_missing_is_one_line(request_of, monkeypatch, tmp_path):
    monkeypatch.setattr(evaluation, "SHIPPED", tmp_path)
    assert "`latentcomp train --phase 4` first" in refusal(request_of(4), CheckpointError)
    assert "there is no phase 9" in refusal(request_of(9), PhaseError)
    other = tiny.save_model(tmp_path / "other", blocks=4)
    assert "give the right --teacher" in refusal(request_of(teacher=str(other)), CheckpointError)
