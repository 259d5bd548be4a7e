"""Asking and measuring from Python: the answers and figures of the command line."""

import json
import sys
from math import isnan

import pytest

from latentcomp.api import Compressor, LatentcompError, Question, Reasoner, evaluate
from latentcomp.corpus.files import write_corpus

from ..train import tiny


@pytest.fixture(scope="module")
def reasoner(compressor):
    return Reasoner.from_pretrained(compressor=compressor)


@pytest.fixture(scope="module")
def held():
    return list(tiny.documents(3, split="test"))


@pytest.fixture(scope="module")
def evaluation(compressor, held):
    return evaluate(compressor, held, arms=("truncation",))


def test_answers_are_those_that_an_evaluation_counts(compressor, reasoner, held, evaluation):
    questions = {one.document_id: one.questions for one in held}
    for arm, about in (("compressed", compressor.compress(held)), ("ceiling", held)):
        counted = [one.prediction for one in evaluation.answers if one.arm == arm]
        assert [one.text for one in reasoner.ask(about, questions)] == counted
        assert len(counted) > 10


def test_no_document_is_the_floor(reasoner, held, evaluation):
    question = held[0].questions[0]
    (answer,) = reasoner.ask(None, question)
    floor = [one for one in evaluation.answers if one.arm == "floor"]
    assert answer.text == floor[0].prediction and answer.question == question.text


def test_questions_of_every_form(reasoner, held):
    texts = reasoner.ask(held[:2], ["One?", Question("q", "other", "Two?", "2")])
    assert [(one.document_id, one.question) for one in texts] == [
        (document.document_id, question) for document in held[:2] for question in ("One?", "Two?")
    ]
    only = reasoner.ask(held[:2], {held[1].document_id: "One?"})
    assert [str(one) for one in only] == [texts[2].text]


def test_an_answer_that_was_cut_says_so(reasoner, held):
    (whole,) = reasoner.ask(held[0], "One?", most_tokens=64)
    (cut,) = reasoner.ask(held[0], "One?", most_tokens=1)
    assert cut.cut and len(cut.text) <= len(whole.text)


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        ([], "no question was given"),
        ("", "a question is a text that is not empty"),
        ({"nobody": "One?"}, "questions about 'nobody', which is none of the 3"),
        ({}, "no question was given"),
        ([3], "a question is a text"),
    ],
    ids=["none", "empty", "id", "mapping", "number"],
)
def test_questions_that_cannot_be_asked(reasoner, held, questions, says):
    with pytest.raises(LatentcompError, match=says):
        reasoner.ask(held, questions)


def test_neither_name_nor_compressor():
    with pytest.raises(LatentcompError, match="give the name of a model, or compressor="):
        Reasoner.from_pretrained()


def test_a_text_longer_than_the_reasoner_reads(reasoner):
    with pytest.raises(LatentcompError, match="reads at most 2,048"):
        reasoner.ask("word " * 3000, "One?")


def test_figures_are_the_record_of_the_command(evaluation, held, compressor):
    read = json.loads(evaluation.to_json())
    assert read["documents"] == 3 and read["checkpoint_sha256"] == compressor.sha256
    assert list(evaluation.accuracy) == [
        "ceiling", "floor", "compressed", "shuffled", "zero", "gaussian", "truncation",
    ]  # fmt: skip
    assert "no verdict: measured from Python" in " ".join(str(evaluation).split())
    assert evaluation.retention is not None


def test_tables_without_and_with_pandas(evaluation, monkeypatch):
    rows = evaluation.rows("arms")
    assert [row["arm"] for row in rows] == list(evaluation.accuracy)
    assert isnan(next(row["retention"] for row in rows if row["arm"] == "ceiling"))
    assert len(evaluation.rows()) == len(evaluation.answers)
    families = {row["family"] for row in evaluation.rows("families")}
    assert families == set(evaluation.result.families)
    with pytest.raises(LatentcompError, match="there is no table 'all'; give one of answers"):
        evaluation.rows("all")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(LatentcompError, match="pandas is not installed; `pip install"):
        evaluation.to_pandas()


def test_pandas_frames(evaluation):
    pytest.importorskip("pandas")
    frame = evaluation.to_pandas()
    assert len(frame) == len(evaluation.answers)
    assert frame.groupby("arm")["correct"].mean()["ceiling"] == evaluation.result.ceiling


def test_documents_that_it_was_trained_on_are_refused(compressor):
    with pytest.raises(LatentcompError, match="in the training corpus of the run too"):
        evaluate(compressor, list(tiny.documents(2)))


@pytest.mark.slow
def test_a_compressor_away_from_its_run_says_that_it_cannot_tell(tmp_path, compressor, teacher):
    folder = compressor.save_pretrained(tmp_path / "mine")
    away = Compressor.from_pretrained(folder, teacher=str(teacher))
    told = evaluate(away, list(tiny.documents(2, split="test")))
    assert any("was not checked" in note for note in told.result.notes)


def test_a_look_is_logged_in_the_run(run, evaluation):
    (first, *_) = (run / "looks.jsonl").read_text().splitlines()
    assert json.loads(first)["documents"] == 3


@pytest.mark.slow
def test_a_corpus_on_the_disk_keeps_its_name_and_seed(tmp_path, compressor):
    meta = {"preset": "lab", "split": "train", "seed": 5, "generator": 3}
    write_corpus(tmp_path / "held", tiny.documents(2, split="validation"), meta)
    result = evaluate(compressor, tmp_path / "held").result
    assert result.corpus is not None and result.corpus.seed == 5
    assert any("split 'train'" in note for note in result.notes)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_documents(compressor, held, count):
    with pytest.raises(LatentcompError, match="at least 2 are needed|no documents were given"):
        evaluate(compressor, held[:count])
