from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import Document, Question
from latentcomp.evaluate.exact import normalise
from latentcomp.evaluate.scores import (
    SCORERS,
    read_answers,
    rescore,
    score,
    score_answer,
    write_answers,
)

from .rows import row, simulated


def question(answer="Red Fox", stale=("Blue Jay", "red fox."), bucket="late"):
    return Question("q1", "latest", "What?", answer, stale, (2,), bucket)


@pytest.mark.parametrize(
    ("prediction", "correct", "stale"),
    [
        ("Red Fox", True, False),
        ("  red \n fox. ", True, False),
        ("Red Fox..", False, False),
        ("Red Foxes", False, False),
        ("RedFox", False, False),
        ("", False, False),
        ("blue jay", False, True),
        ("Blue Jay.", False, True),
        ("Blue", False, False),
    ],
)
def test_score_is_exact_match_after_normalising(prediction, correct, stale):
    scored = score(question(), prediction)
    assert (scored.correct, scored.stale) == (correct, stale)


def test_value_that_is_both_answer_and_replaced_is_right():
    """A value that came back is the answer, even if it had once been replaced."""
    assert score(question("5", ("5", "4")), "5") == score(question("5", ()), "5")


@given(st.text())
def test_normalise_is_idempotent_up_to_one_period(text):
    once = normalise(text)
    if not once.endswith("."):
        assert normalise(once) == once
    assert normalise(f" {once}\n") == normalise(once)


@given(st.text(min_size=1), st.lists(st.text()))
def test_no_answer_is_both_right_and_stale(prediction, stale):
    scored = score(question(stale=tuple(stale)), prediction)
    assert not (scored.correct and scored.stale)


def test_score_answer_keeps_what_statistics_need():
    scored = score_answer("d7", question(), "zero", "Blue Jay")
    assert (scored.document_id, scored.question_id, scored.family) == ("d7", "q1", "latest")
    assert (scored.bucket, scored.arm, scored.answer) == ("late", "zero", "Red Fox")
    assert scored.stale and scored.can_be_stale and not scored.correct
    assert not score_answer("d7", question(stale=()), "zero", "x").can_be_stale
    assert score_answer("d7", question(bucket=None), "zero", "x").bucket == ""


def test_answers_round_trip(tmp_path):
    rows = tuple(simulated(documents=3))
    write_answers(tmp_path / "answers.parquet", rows)
    assert read_answers(tmp_path / "answers.parquet") == rows


def test_answers_that_cannot_be_read_are_one_line(tmp_path):
    path = tmp_path / "answers.parquet"
    with pytest.raises(LatentcompError, match=str(path)):
        read_answers(path)
    path.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(LatentcompError) as caught:
        read_answers(path)
    assert "\n" not in str(caught.value)
    pq.write_table(pa.table({"other": [1]}), path)
    with pytest.raises(LatentcompError):
        read_answers(path)


DOCUMENTS = (
    Document("d1", (), (question(), Question("q2", "fact", "Who?", "Ada"))),
    Document("d2", (), (Question("q1", "fact", "Who?", "Bel", (), (), "early"),)),
    Document("d3", ()),
)


def answers(arms=("compressed", "floor"), prediction="Blue Jay"):
    return [
        score_answer(document.document_id, one, arm, prediction)
        for arm in arms
        for document in DOCUMENTS
        for one in document.questions
    ]


def test_only_predictions_are_believed():
    """Whatever was edited in a row but its ids, arm and prediction is as it was computed."""
    honest = answers()
    edited = [
        replace(
            one, correct=True, stale=False, can_be_stale=False, family="x", bucket="", answer="y"
        )
        for one in honest
    ]
    assert rescore(edited, DOCUMENTS) == tuple(honest)
    assert [one.stale for one in rescore(edited, DOCUMENTS)] == [True, False, False] * 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*answers(), row("d9", "q1", "floor")], "'q1' of document 'd9' which the arm floor"),
        ([*answers(), row("d2", "q2", "floor")], "'q2' of document 'd2' which the arm floor"),
        ([*answers(), answers()[0]], "'q1' of document 'd1' was answered twice by the arm comp"),
        (answers()[:-1], "'q1' of document 'd2' is not answered by the arm floor, nor are 0"),
        (answers()[2:], "'q1' of document 'd1' is not answered by the arm compressed, nor are 1"),
    ],
)
def test_answers_that_are_not_to_these_questions_are_named(rows, words):
    with pytest.raises(LatentcompError, match=words) as caught:
        rescore(rows, DOCUMENTS)
    assert "\n" not in str(caught.value)


def test_a_new_scorer_is_a_row(monkeypatch):
    monkeypatch.setitem(SCORERS, "contains", lambda prediction, expected: expected in prediction)
    long = "It was Red Fox, not Blue Jay"
    assert score(question(), long, "contains").correct and not score(question(), long).correct
    assert score(question(), "It was Blue Jay", "contains").stale
    (again, *_) = rescore(answers(prediction=long), DOCUMENTS, "contains")
    assert again.correct
