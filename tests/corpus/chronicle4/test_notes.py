"""Notes: what holds at the end, the newest first; and which of them a question needs."""

import random
from collections import Counter

import pytest

from latentcomp.corpus.chronicle4.asking import WORDS
from latentcomp.corpus.chronicle4.chronicle import tell
from latentcomp.corpus.chronicle4.notes import NOTE_SEPARATOR, needed_notes, note_list, notes
from latentcomp.corpus.chronicle4.presets import preset
from latentcomp.corpus.chronicle4.solving import readings, solve
from latentcomp.corpus.chronicle4.view import View

from .notes_reader import from_notes, ledger_of

OF_THE_PAST = ("changed", "values_had")
"""Kinds that ask for more than what holds at the end."""


@pytest.fixture(scope="module")
def drafts():
    """(story, draft) of many questions of every kind."""
    told = [tell(preset("lab"), "train", 31, index) for index in range(50)]
    return [(s, d) for n, s in enumerate(told) for d in s.drafts(random.Random(n), 8)]


def test_notes_say_what_holds_and_when_it_came(lab):
    """Read back, they are what the solver reads in the document."""
    for each in lab["test"][:40]:
        days = [chunk.day for chunk in each.document.chunks]
        whole = readings([chunk.text for chunk in each.document.chunks], days).as_written
        noted = ledger_of(each.document.summary.split(NOTE_SEPARATOR), days[-1])
        last = {item: history[-1] for item, history in whole.entries.items()}
        assert {item: (e.value, whole.day(e)) for item, e in last.items()} == {
            item: (e.value, noted.day(e)) for item, (e,) in noted.entries.items()
        }
        assert {tie[:3] for tie in whole.ties} == {tie[:3] for tie in noted.ties}
        assert {p: t for p, (t, _) in whole.trades.items()} == {
            p: t for p, (t, _) in noted.trades.items()
        }
        assert [people for people, _ in whole.lines[-1:]] == [people for people, _ in noted.lines]


def test_the_newest_note_comes_first(lab):
    for each in lab["test"][:40]:
        view = View(each.world, len(each.document.chunks) - 1)
        listed = note_list(view)
        chunks = [note.chunk for note in listed]
        assert chunks == sorted(chunks, reverse=True)
        assert notes(view) == NOTE_SEPARATOR.join(note.text for note in listed)
        assert len({note.about for note in listed}) == len(listed)


def test_a_question_is_answered_by_the_notes_that_it_needs(drafts):
    """By those alone, says the independent solver."""
    kinds: Counter[str] = Counter()
    for story, draft in drafts:
        needed = needed_notes(story.view, draft.query)
        if needed is None:
            continue
        listed = {note.about: note.text for note in note_list(story.view)}
        assert needed <= set(listed)
        kept = [listed[about] for about in listed if about in needed]
        solution = from_notes(kept, story.view.last_day, draft.text)
        assert solution.as_written.answers == {draft.finding.answer}, draft.text
        kinds[draft.query.kind] += 1
    assert set(kinds) == set(WORDS) - set(OF_THE_PAST)


def test_no_note_of_a_question_could_be_left_out(drafts):
    """Without one of them another answer is possible, or none: of plain kinds, by trying."""
    tried: Counter[str] = Counter()
    for story, draft in drafts:
        needed = needed_notes(story.view, draft.query)
        if needed is None or draft.query.kind not in ("value", "related", "what_to", "earlier"):
            continue
        listed = {note.about: note.text for note in note_list(story.view)}
        for missing in needed:
            kept = [listed[about] for about in needed - {missing}]
            solution = from_notes(kept, story.view.last_day, draft.text)
            assert solution.as_written.answers != {draft.finding.answer}, draft.text
            tried[draft.query.kind] += 1
    assert len(tried) == 4


def test_what_notes_cannot_tell_needs_the_document(drafts):
    """Of the past: what was first, what was on a day, whether and how often it changed."""
    left = [(s, d) for s, d in drafts if needed_notes(s.view, d.query) is None]
    assert len(left) > 100
    for _, draft in left:
        query = draft.query
        assert query.first or query.day is not None or query.kind in OF_THE_PAST
    for story, draft in left[:40]:
        texts = story.prose.texts()
        whole = readings(texts, story.asker.world.days)
        assert solve(whole, draft.text).as_written.answers == {draft.finding.answer}
