"""Scorers for free text, by hand and by properties; several right answers; F1."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import Question
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import (
    EXACT,
    SCORERS,
    check_scorer,
    read_answers,
    score_answer,
    write_answers,
)
from latentcomp.evaluate.table import print_result
from latentcomp.evaluate.text_match import token_f1

QUESTION = Question("q", "squad", "Who?", "The Duke", ("Bea",), other_answers=("William",))


@pytest.mark.parametrize(
    ("scorer", "prediction", "right"),
    [
        ("exact", "the duke.", True),
        ("exact", "William", True),
        ("exact", "duke", False),
        ("squad", "Duke", True),
        ("squad", "a duke!", True),
        ("squad", "the duke of it", False),
        ("contains", "It was the Duke of it.", True),
        ("contains", "du ke", False),
        ("contains", "dukes", False),
        ("contains", "", False),
        ("choice", "William, because", True),
        ("choice", "not William", False),
        ("choice", "", False),
    ],
)
def test_what_counts_as_right(scorer, prediction, right):
    row = score_answer("d", QUESTION, "compressed", prediction, scorer)
    assert row.correct == right and (row.f1 is None) == (scorer == EXACT)


@pytest.mark.parametrize(
    ("prediction", "expected", "value"),
    [
        ("the duke", ["The Duke!"], 1.0),
        ("duke william", ["william the duke of normandy"], 2 * 2 / (2 + 4)),
        ("duke duke", ["duke"], 2 / 3),
        ("x", ["duke", "x y"], 2 / 3),
        ("", ["duke"], 0.0),
        ("the", ["a"], 1.0),
        ("x", [], 0.0),
    ],
)
def test_f1_by_hand(prediction, expected, value):
    assert token_f1(prediction, expected) == pytest.approx(value)


@given(st.text(), st.text())
def test_f1_is_a_share_that_only_equal_words_fill(one, other):
    value = token_f1(one, [other])
    assert 0 <= value <= 1 and token_f1(other, [one]) == value
    if SCORERS["squad"](one, other):
        assert value == 1
    assert token_f1(one, [other, one]) == 1


def test_no_scorer_of_that_name():
    with pytest.raises(LatentcompError, match="no scorer 'rouge'; the scorers are exact, squad"):
        check_scorer("rouge")


def answers(scorer):
    made = []
    for number in range(4):
        for arm, said in (("ceiling", "duke"), ("floor", "x"), ("compressed", "duke of it")):
            question = replace(QUESTION, question_id=f"q{number}")
            made.append(score_answer(f"d{number}", question, arm, said, scorer))
    return made


def test_f1_stands_beside_what_is_right_and_says_by_which_scorer(tmp_path, capsys):
    rows = answers("squad")
    result = EvaluationResult.from_scores(rows, seed=0, resamples=50)
    result = result.model_copy(update={"scorer": "squad"})
    assert result.f1["compressed"].point == pytest.approx(2 / 4)
    assert result.overall.accuracy["compressed"].point == 0
    print_result(result)
    assert "right by the scorer 'squad'; mean F1 of the words:" in capsys.readouterr().out
    write_answers(tmp_path / "answers.parquet", rows)
    assert read_answers(tmp_path / "answers.parquet") == tuple(rows)


def test_where_exact_match_decides_there_is_no_f1():
    assert EvaluationResult.from_scores(answers(EXACT), seed=0, resamples=50).f1 == {}
