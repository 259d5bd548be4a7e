"""What the lab models learn from: one context, questions that cannot see each other."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentcomp.corpus.chronicle.summary import NOTE_SEPARATOR
from latentcomp.corpus.chronicle.world import Relation
from latentcomp.lab import sequences as lab
from latentcomp.lab.architecture import END_ID
from latentcomp.models.segments import CONTEXT, PADDING

from ..train import tiny

LENGTH = 640


@pytest.fixture(scope="module")
def write():
    return lab.SequenceWriter(tiny.tokenizer())


@pytest.fixture(scope="module")
def rows(write):
    """Many sequences of every kind, with the story that each was made from."""
    made = []
    for index in range(60):
        story = tiny.story(index, 3 + index % 6, questions=4)
        made.append((story, write(story, random.Random(index), LENGTH)))
    return made


def decode(ids):
    return tiny.tokenizer().decode(list(map(int, ids)))


def segments(row):
    """Text and weights of every segment, the context first."""
    out = []
    for number in range(int(row["segment"].max()) + 1):
        (places,) = np.nonzero(row["segment"] == number)
        if len(places):
            assert (np.diff(places) == 1).all(), "a segment is one stretch"
            out.append((number, places))
    return out


def is_notes(row):
    (places,) = np.nonzero(row["segment"] == CONTEXT)
    return decode(row["ids"][places][1:]).startswith("Notes: ")


def test_every_kind_of_sequence_occurs(rows):
    kinds = Counter(is_notes(row) for _, row in rows)
    assert min(kinds[True], kinds[False]) > 3
    assert any("Summary in" in decode(row["ids"]) for _, row in rows)


def test_one_segment_a_question_and_weights_on_answers_alone(rows):
    for story, row in rows:
        wanted = {draft.text: draft.answer for _, draft in story.drafts}
        families = {draft.text: lab.FAMILY_IDS[family] for family, draft in story.drafts}
        asked = []
        (_, context), *rest = segments(row)
        for _, places in rest:
            ids, weight = row["ids"][places], row["weight"][places]
            learned = weight > 0
            told, answer = decode(ids[~learned]), decode(ids[learned])
            if told.startswith("\nSummary"):
                assert (weight[learned] == lab.SUMMARY_WEIGHT).all()
                assert (row["family"][places] == -1).all()
                continue
            question = told.removeprefix("\nQuestion: ").removesuffix("\nAnswer:")
            assert answer == f" {wanted[question]}<|endoftext|>"
            assert (weight[learned] == lab.ANSWER_WEIGHT).all()
            assert learned.tolist() == sorted(learned), "the answer comes last"
            assert (row["family"][places][learned] == families[question]).all()
            assert (row["family"][places][~learned] == -1).all()
            asked.append(question)
        assert len(set(asked)) == len(asked)
        weight = row["weight"][context]
        assert weight[0] == 0, "nothing comes before the head"
        assert (weight[1:] == lab.TEXT_WEIGHT).all()
        assert (row["weight"][row["segment"] == PADDING] == 0).all()


def test_the_context_is_the_document_or_notes(rows):
    for story, row in rows:
        (places,) = np.nonzero(row["segment"] == CONTEXT)
        ids = row["ids"][places]
        assert ids[0] == END_ID
        text = decode(ids[1:])
        if not is_notes(row):
            assert story.document.text.startswith(text)
            assert text == story.document.text or len(places) == LENGTH
            continue
        notes = text.removeprefix("Notes: ").split(NOTE_SEPARATOR)
        assert notes == [note for _, note in story.notes[: len(notes)]], "the newest ones, whole"


def test_questions_about_notes_can_be_answered_from_them(rows):
    checked = 0
    for story, row in rows:
        if not is_notes(row):
            continue
        (places,) = np.nonzero(row["segment"] == CONTEXT)
        held = decode(row["ids"][places][1:]).removeprefix("Notes: ").split(NOTE_SEPARATOR)
        events = [event for event, text in story.notes if text in held]
        drafts = {draft.text: draft for _, draft in story.drafts}
        for _, where in segments(row)[1:]:
            ids, weight = row["ids"][where], row["weight"][where]
            told = decode(ids[weight == 0])
            draft = drafts[told.removeprefix("\nQuestion: ").removesuffix("\nAnswer:")]
            assert draft.in_summary
            assert all(event in events for event in draft.evidence)
            # What is no yes or no, no order and no count stands there word for word.
            if draft.answer not in ("yes", "no"):
                assert draft.answer in "; ".join(held)
            checked += 1
    assert checked > 20


def test_positions_go_on_from_the_end_of_the_context(rows):
    for _, row in rows:
        (_, context), *rest = segments(row)
        assert row["position"][context].tolist() == list(range(len(context)))
        for _, places in rest:
            expected = range(len(context), len(context) + len(places))
            assert row["position"][places].tolist() == list(expected)


@pytest.mark.parametrize("budget", [0, 5, 16, 40, 100, 10_000])
def test_a_summary_is_as_many_whole_notes_as_fit(write, budget):
    for index in range(5):
        story = tiny.story(index, 6)
        notes = [text for _, text in story.notes]
        ids = write.summary_ids(story, budget)
        assert len(ids) <= budget
        text = decode(ids)
        kept = text.strip().split(NOTE_SEPARATOR) if text else []
        assert kept == notes[: len(kept)]
        if len(kept) < len(notes):
            more = f" {NOTE_SEPARATOR.join(notes[: len(kept) + 1])}"
            assert len(tiny.tokenizer()(more, add_special_tokens=False)["input_ids"]) > budget


def test_the_summary_that_is_learned_keeps_its_budget(rows):
    count = 0
    for _, row in rows:
        for _, places in segments(row)[1:]:
            ids, learned = row["ids"][places], row["weight"][places] > 0
            prompt = decode(ids[~learned])
            if prompt.startswith("\nSummary in "):
                budget = int(prompt.split()[2])
                assert int(learned.sum()) - 1 <= budget
                assert ids[-1] == END_ID
                count += 1
    assert count > 3


@pytest.mark.parametrize("length", [64, 200])
def test_a_short_sequence_holds_no_half_question(write, length):
    for index in range(10):
        row = write(tiny.story(index, 3, questions=4), random.Random(index), length)
        assert len(row["ids"]) == length
        for _, places in segments(row)[1:]:
            assert row["ids"][places][-1] == END_ID


def test_hard_families_are_asked_more_often(write, monkeypatch):
    """Where not all questions may be asked: as often as their weight, counted by the offer."""
    monkeypatch.setattr(lab, "MAX_QUESTIONS", 5)
    asked: Counter[str] = Counter()
    offered: Counter[str] = Counter()
    names = list(lab.FAMILY_IDS)
    stories = [tiny.story(index, 8, questions=4) for index in range(20)]
    for number in range(400):
        story = stories[number % len(stories)]
        row = write(story, random.Random(number), 900)
        if is_notes(row):
            continue
        offered.update(family for family, _ in story.drafts)
        told = [int(row["family"][places].max()) for _, places in segments(row)[1:]]
        asked.update(names[family] for family in told if family >= 0)
    rates = {name: asked[name] / offered[name] for name in names}
    easy = sum(rates[name] for name in ("latest", "original", "fact")) / 3
    for name, weight in lab.BROAD.shares.items():
        assert rates[name] / easy == pytest.approx(weight, rel=0.25), name


def batches(seed=0, rank=0, world=1):
    lesson = lab.Lesson((3, 5), 400, 2)
    return lab.LessonBatches(tiny.tokenizer(), lesson, seed, rank, world)


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


def test_a_batch_is_a_function_of_its_number():
    source = batches()
    later, first = source[3], source[0]
    assert equal(batches()[3], later)
    assert not equal(first, later)
    assert not equal(batches(seed=1)[3], later)
    assert later.ids.shape == (2, 400)


def test_processes_share_out_the_sequences():
    alone = [batches()[step] for step in range(2)]
    shared = [batches(rank=rank, world=2)[0] for rank in range(2)]
    assert all(equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_copying_a_batch():
    one, other = batches()[0], batches()[1]
    one.copy_from(other)
    assert equal(one, other)
    assert equal(one.to(torch.device("cpu")), other)


TWO_HOP = lab.SequenceWriter(tiny.tokenizer(), lab.TWO_HOP)


def hinted(row):
    """(question as far as its mark, what its last four tokens are to know) of every hint."""
    places = np.nonzero(row["hint"] != lab.NO_HINT)[0]
    for segment in dict.fromkeys(row["segment"][places].tolist()):
        here = places[row["segment"][places] == segment]
        before = (row["segment"] == segment) & (np.arange(LENGTH) <= here[0])
        assert np.array_equal(here, here[0] + np.arange(len(here))), "one token after the other"
        yield decode(row["ids"][before]), decode(row["hint"][here])


def test_a_hint_is_the_name_of_who_is_meant():
    """Of every question that names somebody by a relation alone, and of no other."""
    count = 0
    for index in range(20):
        story = tiny.story(index, 6, questions=12)
        row = TWO_HOP(story, random.Random(index), LENGTH)
        meant = {
            f"\nQuestion: {draft.text}": f" {draft.evidence[0].agent}"
            for _, draft in story.drafts
            if isinstance(draft.evidence[0], Relation)
        }
        hints = list(hinted(row))
        for question, told in hints:
            assert meant[question] == told
        ids = [lab.FAMILY_IDS[name] for name in ("two_hop", "relation")]
        asked = {int(segment) for segment in row["segment"][np.isin(row["family"], ids)]}
        assert len(hints) == len(asked)
        count += len(hints)
    assert count > 20


def test_no_input_shows_a_hint_and_plain_lessons_have_none(rows):
    for index in range(5):
        story = tiny.story(index, 6, questions=12)
        with_hints = TWO_HOP(story, random.Random(index), LENGTH)
        unaided = lab.SequenceWriter(tiny.tokenizer(), replace(lab.TWO_HOP, hints_at=()))
        without = unaided(story, random.Random(index), LENGTH)
        for key in ("ids", "segment", "position", "family", "weight"):
            assert np.array_equal(with_hints[key], without[key])
        assert (without["hint"] == lab.NO_HINT).all()
    for _, row in rows:
        assert (row["hint"] == lab.NO_HINT).all()


def test_a_stressed_family_weighs_more():
    story = tiny.story(1, 6, questions=12)
    row = TWO_HOP(story, random.Random(1), LENGTH)
    for name, number in lab.FAMILY_IDS.items():
        weights = set(row["weight"][row["family"] == number].tolist())
        assert weights <= {lab.ANSWER_WEIGHT * lab.TWO_HOP.stress.get(name, 1.0)}
