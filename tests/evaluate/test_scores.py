import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import Question
from latentcomp.evaluate.scores import (
    normalise,
    read_answers,
    score,
    score_answer,
    write_answers,
)

from .rows import simulated


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
