"""The check can fail: damage to a right document, and faults of a generator, are found."""

import re
from dataclasses import replace

import pytest

from latentcomp.corpus.chronicle4 import chronicle as chronicle_module
from latentcomp.corpus.chronicle4 import evidence, families, prose, simulate, view
from latentcomp.corpus.chronicle4.checking import check, compare
from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.facts import Span
from latentcomp.corpus.chronicle4.queries import ANSWERS

DAYS = (10, 99)


@pytest.fixture(scope="module")
def documents(lab):
    return lab["test"][:20]


def with_text(each, chunk, text):
    chunks = [replace(c, text=text) if c.index == chunk else c for c in each.document.chunks]
    return replace(each, document=replace(each.document, chunks=tuple(chunks)))


def with_asked(each, at, **fields):
    mine = {k: v for k, v in fields.items() if hasattr(each.asked[at], k)}
    question = replace(each.asked[at].question, **{k: fields[k] for k in fields if k not in mine})
    return replace(each, asked=(replace(each.asked[at], question=question, **mine),))


def with_only(each, asked):
    return replace(each, asked=(asked,))


def fresh(value):
    """A value of the same kind that no document holds."""
    if value.isalpha():
        return "Zzz" if value[0].isupper() else "zzz"
    return "".join(str(9 - int(digit)) for digit in value)


def sentence(each, span):
    return each.document.chunks[span.chunk].text[span.start : span.end]


@pytest.mark.parametrize("family", ["fact", "latest", "original", "as_of", "two_hop", "three_hop"])
def test_another_value_in_the_evidence_is_found(documents, family):
    damaged = 0
    for each in documents:
        for asked in each.asked:
            answer = asked.question.answer
            spans = [s for s in asked.spans if re.search(rf"\b{answer}\b", sentence(each, s))]
            if asked.question.family != family or asked.form not in ("name", "number", "word"):
                continue
            assert spans, "the answer stands in the evidence"
            text = each.document.chunks[spans[0].chunk].text
            wrong = re.sub(rf"\b{answer}\b", fresh(answer), sentence(each, spans[0]))
            text = text[: spans[0].start] + wrong + text[spans[0].end :]
            found = compare(with_text(with_only(each, asked), spans[0].chunk, text), DAYS)
            assert any(
                d.what == "text" or d.question_id == asked.question.question_id for d in found
            )
            damaged += 1
    assert damaged > 8


def test_a_sentence_of_the_evidence_that_is_gone_is_found(documents):
    for each in documents[:4]:
        for asked in each.asked:
            span = asked.spans[-1]
            text = each.document.chunks[span.chunk].text
            text = (text[: span.start] + text[span.end + 1 :]).strip()
            if not text:
                continue
            found = compare(with_text(with_only(each, asked), span.chunk, text), DAYS)
            assert any(
                d.what == "text" or d.question_id == asked.question.question_id for d in found
            )


def test_an_unknown_sentence_is_found(documents):
    for each in documents:
        text = each.document.chunks[-1].text + " The moon was blue."
        (only,) = compare(with_text(each, len(each.document.chunks) - 1, text), DAYS)
        assert only.what == "text"
        assert "The moon was blue" in only.found


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_wrong_answer_is_found_in_every_family(documents, family):
    flipped = {"yes": "no", "no": "yes"}
    tried = 0
    for each in documents:
        for at, asked in enumerate(each.asked):
            if asked.question.family == family:
                answer = asked.question.answer
                wrong = with_asked(each, at, answer=flipped.get(answer) or fresh(answer))
                whats = {d.what for d in compare(wrong, DAYS)}
                assert {"answer", "answer_in_hindsight"} <= whats
                tried += 1
    assert tried > 15


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"stale_answers": ("Nobody",)}, "stale_answers"),
        ({"evidence": ()}, "evidence"),
        ({"spans": (Span(0, 0, 5),)}, "spans"),
        ({"family": "nothing"}, "family"),
        ({"form": "nothing"}, "form"),
        ({"text": "How old is Karo?"}, "question"),
        ({"asked_after": 99}, "asked_after"),
    ],
)
def test_a_wrong_claim_about_a_question_is_found(documents, fields, what):
    for each in documents[:3]:
        for at in range(len(each.asked)):
            assert [d.what for d in compare(with_asked(each, at, **fields), DAYS)] == [what]


def test_a_wrong_claim_about_days_is_found(documents):
    for each in documents[:3]:
        for at, asked in enumerate(each.asked):
            wrong = with_asked(each, at, needs_days=not asked.needs_days)
            assert [d.what for d in compare(wrong, DAYS)] == ["needs_days"]


def test_a_question_asked_twice_is_found(documents):
    each = documents[0]
    again = replace(each, asked=(*each.asked, each.asked[3]))
    assert check([again]).duplicates == (each.asked[3].question.question_id,)


def _no_hindsight(view, hindsight, query):
    return ANSWERS[query.kind](view, query)


def _plain_trade(self, person, act, refers):
    """Calls people by trades and forgets to say where the trade stands."""
    return prose_mention(self, person, act, [])


prose_mention = prose._Writer._mention

FAULTS = {
    "one reading only": (families, "settled", _no_hindsight, "answer_in_hindsight"),
    "late telling ignored": (
        view.View,
        "day",
        lambda self, setting: self.days[setting.chunk],
        "answer",
    ),
    "references left out": (
        chronicle_module,
        "closure",
        lambda acts, refers: tuple(sorted(set(acts))),
        "spans",
    ),
    "trades left out": (prose._Writer, "_mention", _plain_trade, "spans"),
    "days never needed": (chronicle_module, "needs_days", lambda *_: False, "needs_days"),
    "asked at the end only": (
        chronicle_module,
        "holds_from",
        lambda query, answer, upto, turns, views: upto,
        "asked_after",
    ),
    "corrections are updates": (
        view,
        "_amended",
        lambda known: list(known),
        "answer_in_hindsight",
    ),
    "swap of one side": (
        simulate.Simulation,
        "refer",
        lambda self, item, chunk: (),
        "spans",
    ),
    "too few turns": (evidence, "chunks_about", lambda world, attribute: set(), "asked_after"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_generator_is_found(monkeypatch, fault):
    owner, name, wrong, what = FAULTS[fault]
    monkeypatch.setattr(owner, name, wrong)
    if owner is evidence:
        monkeypatch.setattr(chronicle_module, name, wrong)
    found = check(chronicles("lab", "test", 25, 3)).disagreements
    assert what in {each.what for each in found}
