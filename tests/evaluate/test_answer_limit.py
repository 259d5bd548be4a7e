"""Answers may be as long as the right ones are, and what is cut is said."""

from dataclasses import replace

import pytest

from latentcomp.evaluate.answer_limit import MARGIN, answer_limit, limit_notes
from latentcomp.evaluate.answers import answer_questions
from latentcomp.evaluate.arms.text import ceiling
from latentcomp.models.loading import TextSide
from latentcomp.reasoner.generate import MOST_TOKENS, reading

from ..train import tiny


def with_answers(*answers):
    (document,) = tiny.documents(1, chunks=2)
    asked = [replace(document.questions[0], question_id=f"q{i}", answer=a)
             for i, a in enumerate(answers)]  # fmt: skip
    return [replace(document, questions=tuple(asked))]


LONG = " ".join(["Oslar"] * 30)


def test_short_answers_have_the_tokens_that_they_always_had():
    assert answer_limit(tiny.lm(1), with_answers("Oslar", "12")) == MOST_TOKENS
    assert answer_limit(tiny.lm(1), []) == MOST_TOKENS


def test_long_ones_have_what_they_need_and_a_margin():
    lm = tiny.lm(1)
    needed = len(lm.encode(f" {LONG}")) + 1
    assert needed > MOST_TOKENS
    assert answer_limit(lm, with_answers("Oslar", LONG)) == needed + MARGIN


def test_a_limit_that_is_too_small_is_said_with_one_that_is_not():
    lm, documents = tiny.lm(1), with_answers("Oslar", LONG)
    (note,) = limit_notes(lm, documents, 16, {"ceiling": 0})
    assert "1 of 2 right answers are longer than the 16 tokens" in note
    assert f"--answer-tokens {answer_limit(lm, documents)}" in note
    assert limit_notes(lm, documents, answer_limit(lm, documents), {}) == ()


def test_of_several_right_answers_all_have_room_and_any_may_be_given():
    lm, (document,) = tiny.lm(1), with_answers("Oslar")
    both = replace(document.questions[0], other_answers=(LONG,))
    documents = [replace(document, questions=(both,))]
    assert answer_limit(lm, documents) == answer_limit(lm, with_answers(LONG))
    assert limit_notes(lm, documents, 16, {}) == ()


def test_answers_that_were_cut_are_counted_by_arm():
    (note,) = limit_notes(tiny.lm(1), with_answers("Oslar"), 16, {"ceiling": 1, "floor": 0})
    assert "cut at 16 tokens, each of 1: 1 of ceiling" in note


@pytest.mark.parametrize("limit", [1, 3])
def test_what_does_not_end_by_itself_counts_as_cut(limit, monkeypatch):
    lm, (document,) = tiny.lm(2, seed=1), with_answers("Oslar")
    prefix = ceiling(lm, [document])
    prompt = lm.encode(lm.prompt.ask(document.questions[0].text))
    first = int(reading(lm, prefix, [[prompt]]).first().argmax(-1))

    def cut():
        return answer_questions(lm, [document], prefix, "ceiling", answer_tokens=limit).cut

    assert cut() == 1, "random weights go on"
    monkeypatch.setattr(TextSide, "eos_token_id", first)
    assert cut() == 0, "it ends with its first token"
