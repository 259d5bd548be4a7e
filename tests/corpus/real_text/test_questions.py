"""The independent reader agrees with every question, and sees every kind of damage to one."""

import re
from dataclasses import replace
from typing import Any

import pytest

from latentcomp.corpus.outside import debian_changelog, git_notes, tz_news
from latentcomp.corpus.real_text.ask import counts_up
from latentcomp.corpus.real_text.check import check
from latentcomp.corpus.real_text.make import Wanted, make
from latentcomp.corpus.real_text.solve import understood
from latentcomp.corpus.real_text.wordings import WORDINGS

from . import samples

EXPECTED = {
    "debian-changelog": set(WORDINGS),
    "tz-news": {"released", "mention", "latest", "as_of"},
    "git-notes": {"mention", "latest"},
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Documents by format."""
    root = tmp_path_factory.mktemp("texts")
    versions = "{n}.{m}-1"
    samples.folder_of_docs(
        root / "doc",
        {f"mill{n}": samples.changelog(f"mill{n}", 40, versions=versions) for n in range(4)},
    )
    (root / "NEWS").write_text(samples.tz_news())
    (root / "notes").mkdir()
    for name, text in samples.git_notes().items():
        (root / "notes" / name).write_text(text)
    return {
        name: make(name, module.FORMAT, root / place, Wanted(characters=(700, 4500)))
        for name, module, place in (
            ("debian-changelog", debian_changelog, "doc"),
            ("tz-news", tz_news, "NEWS"),
            ("git-notes", git_notes, "notes"),
        )
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_the_reader_agrees_with_every_question(corpora, name):
    made = corpora[name]
    assert made.refused == 0
    assert set(made.families) == EXPECTED[name]
    assert [fault for one in made.documents for fault in check(one, name)] == []


def test_every_family_has_two_wordings_that_one_pattern_understands():
    fields = {"noun": "version", "label": "1.0-1", "key": "#1234", "date": "3 March 2010"}
    for family, wordings in WORDINGS.items():
        assert len(set(wordings)) >= 2, family
        for wording in wordings:
            assert len(list(understood(wording.format(**fields)))) == 1, wording


@pytest.mark.parametrize("name", EXPECTED)
def test_both_wordings_are_in_use(corpora, name):
    used = {q.wording for one in corpora[name].documents for q in one.questions}
    assert {wording.split("/")[1] for wording in used} == {"0", "1"}


def damaged(question, what):
    """A question with one thing wrong."""
    wrong: dict[str, dict[str, Any]] = {
        "answer": {"answer": "9.9-9"},
        "family": {"family": "year" if question.family != "year" else "maker"},
        "stale_answers": {"stale_answers": (*question.stale_answers, "Nemo")},
        "evidence": {"evidence": (*question.evidence, 99)},
        "bucket": {"bucket": "late" if question.bucket != "late" else "early"},
        "needs_days": {"needs_days": True},
        "question": {"text": "Why?"},
        "other": {"other_answers": (*question.other_answers, "9.9-9")},
        "mistakes": {"mistakes": (("latest", question.answer),)},
    }
    return replace(question, **wrong[what])


KINDS = ("answer", "family", "stale_answers", "evidence", "bucket", "needs_days", "question",
         "other", "mistakes")  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("what", KINDS)
def test_a_damaged_question_is_seen(corpora, name, what):
    for document in corpora[name].documents:
        for question in document.questions:
            changed = replace(document, questions=(damaged(question, what),))
            assert {fault.question_id for fault in check(changed, name)} == {question.question_id}


def test_a_text_that_says_something_else_is_seen(corpora):
    """The evidence is changed and the question is not."""
    seen = 0
    for document in corpora["debian-changelog"].documents:
        for question in document.questions:
            if question.family not in ("maker", "released", "urgency", "bug", "year"):
                continue
            chunks = tuple(
                replace(chunk, text=_other(chunk.text, question)) for chunk in document.chunks
            )
            changed = replace(document, chunks=chunks, questions=(question,))
            assert check(changed, "debian-changelog") != [], question
            seen += 1
    assert seen > 20


def _other(text, question):
    new = {"maker": "Nemo", "urgency": "critical", "bug": "777777"}.get(question.family)
    if new is None:
        return re.sub(r"\b20\d\d\b", "1999", text)
    return text.replace(question.answer, new)


def test_a_day_that_is_not_that_of_the_text_is_seen(corpora):
    document = corpora["tz-news"].documents[0]
    chunks = (replace(document.chunks[0], day=document.chunks[0].day - 1), *document.chunks[1:])
    assert {fault.what for fault in check(replace(document, chunks=chunks), "tz-news")} == {"day"}


@pytest.mark.parametrize(
    ("one", "other", "counted"),
    [
        ("2.1-1", "2.1-2", True),
        ("2.1-9", "2.1-10", True),
        ("2024a", "2024b", True),
        ("2.09", "2.10", True),
        ("2.1-1", "2.2-1", False),
        ("2023d", "2024a", False),
        ("2.1-1", "2.1-1.1", True),
        ("2.1", "2.1.1", True),
        ("code2024a", "2024b", True),
        ("2.1~rc", "2.1", False),
    ],
)
def test_what_only_counts_up_is_known(one, other, counted):
    assert counts_up(one, other) is counted


def test_nothing_is_asked_that_stands_in_the_question(corpora):
    for name in EXPECTED:
        for document in corpora[name].documents:
            for question in document.questions:
                assert question.answer not in question.text.split(), question


def test_stale_makers_are_those_before_the_last_change(corpora):
    questions = [
        (document, question)
        for document in corpora["debian-changelog"].documents
        for question in document.questions
        if question.family == "latest_maker"
    ]
    assert questions
    for document, question in questions:
        makers = re.findall(r"^-- (.+?) <", document.text, re.MULTILINE)
        assert question.answer == makers[-1]
        assert set(question.stale_answers) == set(makers) - {makers[-1]} != set()
