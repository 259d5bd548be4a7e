"""The check can fail: every kind of damage to a right corpus is detected, and where it is."""

import random
import re
from dataclasses import replace

import pytest

from latentcomp.corpus.chronicle.check import check_corpus, render_check
from latentcomp.corpus.chronicle.questions import FAMILIES

VALUED = ("fact", "latest", "original", "as_of")
"""Families whose answer stands in the sentence that settles it."""


@pytest.fixture
def documents(lab):
    return lab["test"][:25]


def disagreements_of(document):
    return check_corpus([document]).disagreements


def with_chunk(document, index, text):
    chunks = [replace(c, text=text) if c.index == index else c for c in document.chunks]
    return replace(document, chunks=tuple(chunks))


def with_question(document, question, **fields):
    questions = [
        replace(q, **fields) if q.question_id == question.question_id else q
        for q in document.questions
    ]
    return replace(document, questions=tuple(questions))


def fresh(value):
    """A value of the same kind that no document holds."""
    return "Zzz" if value[0].isupper() else "zzz" if value.isalpha() else "99999"


def other_value(text, answer):
    return re.sub(rf"\b{answer}\b", fresh(answer), text)


def no_evidence(text, answer):
    kept = [s for s in text[:-1].split(". ") if not re.search(rf"\b{answer}\b", s)]
    return ". ".join(kept) + "."


def concerns(disagreement, question):
    return disagreement.question_id == question.question_id or disagreement.what == "text"


@pytest.mark.parametrize("family", VALUED)
@pytest.mark.parametrize("damage", [other_value, no_evidence])
def test_a_damaged_evidence_sentence_is_found(documents, family, damage):
    damaged = 0
    for document in documents:
        for question in document.questions:
            if question.family == family:
                where = question.evidence[-1]
                text = damage(document.chunks[where].text, question.answer)
                assert text != document.chunks[where].text
                disagreements = disagreements_of(with_chunk(document, where, text))
                assert any(concerns(each, question) for each in disagreements), question
                damaged += 1
    assert damaged > 25


def test_an_unknown_sentence_is_found(documents):
    for document in documents:
        last = document.chunks[-1]
        (only,) = disagreements_of(
            with_chunk(document, last.index, last.text + " The moon was blue.")
        )
        assert only.what == "text"
        assert "The moon was blue" in only.solved


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_answer_is_found_in_every_family(documents, family):
    flipped = {"yes": "no", "no": "yes"}
    asked = [(d, q) for d in documents for q in d.questions if q.family == family]
    assert len(asked) > 25
    for document, question in asked:
        wrong = flipped.get(question.answer) or fresh(question.answer)
        disagreements = disagreements_of(with_question(document, question, answer=wrong))
        assert {each.question_id for each in disagreements} == {question.question_id}
        assert {each.what for each in disagreements} == {"answer", "answer_in_hindsight"}


@pytest.mark.parametrize(
    ("family", "fields", "what"),
    [
        ("latest", {"stale_answers": ()}, {"stale_answers"}),
        ("fact", {"stale_answers": ("1234",)}, {"stale_answers"}),
        ("order", {"evidence": ()}, {"evidence"}),
        ("fact", {"bucket": None}, {"bucket"}),
        ("fact", {"family": "latest"}, {"family"}),
        ("fact", {"text": "How old is Karo?"}, {"question"}),
    ],
)
def test_a_wrong_claim_about_a_question_is_found(documents, family, fields, what):
    for document in documents:
        for question in document.questions:
            if question.family == family:
                disagreements = disagreements_of(with_question(document, question, **fields))
                assert {each.what for each in disagreements} == what


def test_a_wrong_day_is_found(documents):
    document = documents[0]
    chunks = (replace(document.chunks[0], day=1), *document.chunks[1:])
    (only,) = disagreements_of(replace(document, chunks=chunks))
    assert (only.what, only.claimed) == ("day", "1")


def test_a_question_asked_twice_is_found(documents):
    document = documents[0]
    again = replace(document.questions[3], question_id="another")
    check = check_corpus([replace(document, questions=(*document.questions, again))])
    assert check.duplicates == ("another",)
    assert not check.ok
    assert "another: asked twice" in render_check(check)


def test_an_update_reworded_as_a_correction_is_found_in_hindsight(documents):
    """A generator that forgot the second reading would be caught by this and nothing else."""
    document = documents[0]
    text = (
        "Day 10. The code of Karo is 1111.",
        "Day 20. Correction: the code of Karo is 2222, not 1111.",
    )
    chunks = tuple(
        replace(document.chunks[0], index=at, text=words, day=10 * (at + 1))
        for at, words in enumerate(text)
    )
    question = replace(
        document.questions[0],
        family="original",
        text="What was the first code of Karo?",
        answer="1111",
        stale_answers=(),
        evidence=(0,),
        bucket="early",
    )
    (only,) = disagreements_of(replace(document, chunks=chunks, questions=(question,)))
    assert (only.what, only.claimed, only.solved) == (
        "answer_in_hindsight",
        "['1111']",
        "['2222']",
    )


def test_damage_done_anywhere_makes_a_corpus_not_ok(documents):
    rng = random.Random(0)
    at = rng.randrange(len(documents))
    question = rng.choice(documents[at].questions)
    damaged = with_question(documents[at], question, answer="nobody")
    check = check_corpus([*documents[:at], damaged, *documents[at + 1 :]])
    assert not check.ok
    assert question.question_id in render_check(check)
