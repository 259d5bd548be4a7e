"""What the lab models learn from: one context, questions that it answers, none that it cannot.

The independent solver reads the context and answers every question that is asked of it.
"""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from latentcomp.corpus.chronicle4.notes import NOTE_SEPARATOR, note_list
from latentcomp.corpus.chronicle4.solving import readings, solve
from latentcomp.corpus.records import CHUNK_SEPARATOR
from latentcomp.lab import lessons as lab
from latentcomp.lab.architecture import END_ID
from latentcomp.lab.curriculum import LESSONS, SYLLABI, Kind, Lesson, Syllabus, lessons_of
from latentcomp.lab.sequences import NO_HINT, Piece, pack
from latentcomp.models.segments import CONTEXT, PADDING

from ..corpus.chronicle4.notes_reader import from_notes
from .conftest import LENGTH

DAYS = (10, 99)
"""First and last day of the preset `lab`."""


def segments(row):
    """(number, places) of every segment but the context."""
    for number in range(1, int(row.arrays["segment"].max()) + 1):
        (places,) = np.nonzero(row.arrays["segment"] == number)
        if len(places):
            assert (np.diff(places) == 1).all(), "a segment is one stretch"
            yield number, places


def questions(row, decode):
    """(text, answer, places) of every question of a sequence; summaries are left out."""
    for _, places in segments(row):
        ids, learned = row.arrays["ids"][places], row.arrays["weight"][places] > 0
        prompt, answer = decode(ids[~learned]), decode(ids[learned])
        if not prompt.startswith("\nSummary"):
            text = prompt.removeprefix("\nQuestion: ").removesuffix("\nAnswer:")
            yield text, answer.removesuffix(lab.HEAD), places


def solver_of(row):
    """From a question to all that the context of a sequence says to it."""
    days = row.story.asker.world.days[: row.story.upto + 1]
    if row.notes:
        return partial(from_notes, notes(row), days[-1])
    return partial(solve, readings(row.text.split(CHUNK_SEPARATOR), days, *DAYS))


def notes(row):
    return row.text.removeprefix("Notes: ").split(NOTE_SEPARATOR)


def test_every_kind_of_sequence_occurs(rows, decode):
    kinds = Counter((row.notes, row.dated) for row in rows)
    assert kinds[True, False] > 5
    assert min(kinds[False, True], kinds[False, False]) > 20
    assert sum("Summary in" in decode(row.arrays["ids"]) for row in rows) > 20
    assert len({row.story.upto for row in rows}) > 4


def test_the_context_is_the_document_up_to_a_chunk_or_notes(rows):
    for row in rows:
        (places,) = np.nonzero(row.arrays["segment"] == CONTEXT)
        assert row.arrays["ids"][places[0]] == END_ID
        if row.notes:
            every = [note.text for note in note_list(row.story.view)]
            assert notes(row) == every[: len(notes(row))], "the newest ones, whole"
            continue
        texts = row.story.prose.texts(dated=row.dated)
        assert row.text.split(CHUNK_SEPARATOR) == list(texts[: row.story.upto + 1])
        assert not any(text in row.text for text in texts[row.story.upto + 1 :])


def test_the_context_answers_every_question_that_is_asked_of_it(rows, decode):
    """So none needs a later chunk, a note that is left out, or a day that is not told."""
    asked: Counter[str] = Counter()
    for row in rows:
        solver = solver_of(row)
        for text, answer, places in questions(row, decode):
            found = solver(text)
            assert found.as_written.answers == {answer.removeprefix(" ")}, text
            assert found.as_written.answers == found.in_hindsight.answers
            assert found.alone == found.as_written.answers, f"needs the days: {text}"
            # Notes do not tell whether an item ever changed, so neither which family this is.
            family = row.drafts[text].family.name
            assert row.notes or found.as_written.family == family
            ids = set(row.arrays["family"][places].tolist())
            assert ids == {-1, lab.FAMILY_IDS[family]}
            asked[family] += 1
    assert set(asked) == set(lab.FAMILY_IDS)


def test_questions_that_need_the_days_are_asked_where_days_are_written_in(rows, decode):
    """And left out where the text as it ships allows other answers."""
    kept: Counter[bool] = Counter()
    for row in rows:
        if row.notes:
            continue
        story, given = row.story, {text for text, _, _ in questions(row, decode)}
        days = story.asker.world.days[: story.upto + 1]
        shipped = readings(story.prose.texts()[: story.upto + 1], days, *DAYS)
        needy = {text for text in row.drafts if len(solve(shipped, text).alone) > 1}
        kept[row.dated] += len(given & needy)
    assert kept[False] == 0
    assert kept[True] > 20


def test_what_is_learned_are_answers_ends_and_a_little_of_the_text(rows, decode):
    for row in rows:
        weight, family = row.arrays["weight"], row.arrays["family"]
        context = weight[row.arrays["segment"] == CONTEXT]
        assert context[0] == 0, "nothing comes before the head"
        assert (context[1:] == np.float32(lab.TEXT_WEIGHT)).all()
        assert (weight[row.arrays["segment"] == PADDING] == 0).all()
        for _, places in segments(row):
            learned = weight[places] > 0
            assert learned.tolist() == sorted(learned), "the answer comes last"
            assert row.arrays["ids"][places[-1]] == END_ID and learned[-1]
            summary = decode(row.arrays["ids"][places]).startswith("\nSummary")
            wanted = lab.SUMMARY_WEIGHT if summary else lab.ANSWER_WEIGHT
            assert (weight[places][learned] == wanted).all()
            assert (family[places][~learned] == -1).all()
            assert ((family[places][learned] >= 0) != summary).all()
        given = [text for text, _, _ in questions(row, decode)]
        assert len(set(given)) == len(given)


@pytest.mark.parametrize("budget", [0, 5, 16, 40, 100, 10_000])
def test_a_summary_is_as_many_whole_notes_as_fit(write, tokenizer, decode, stories, budget):
    for story in stories[:5]:
        every = note_list(story.view)
        ids = write.summary_ids(every, budget)
        assert len(ids) <= budget
        kept = decode(ids).strip().split(NOTE_SEPARATOR) if ids else []
        assert kept == [note.text for note in every[: len(kept)]]
        if len(kept) < len(every):
            more = NOTE_SEPARATOR.join(note.text for note in every[: len(kept) + 1])
            assert len(tokenizer.encode(f" {more}", add_special_tokens=False)) > budget


def test_the_summary_that_is_learned_keeps_its_budget(rows, decode):
    count = 0
    for row in rows:
        for _, places in segments(row):
            learned = row.arrays["weight"][places] > 0
            prompt = decode(row.arrays["ids"][places][~learned])
            if prompt.startswith("\nSummary in "):
                assert int(learned.sum()) - 1 <= int(prompt.split()[2])
                count += 1
    assert count > 10


def test_nothing_read_is_a_context_too_where_a_syllabus_asks_for_it(tokenizer, decode, stories):
    """Every question is asked then, for a guess: the head alone is what a floor reads."""
    syllabus = replace(SYLLABI["guesses"], unread=0.5)
    write = lab.SequenceWriter(tokenizer, syllabus)
    unread = 0
    for number, story in enumerate(stories):
        row = write(story, random.Random(number), LENGTH)
        ids = row["ids"][row["segment"] == CONTEXT]
        if len(ids) > 1:
            continue
        unread += 1
        assert decode(ids) == lab.HEAD
        learned = row["weight"] > 0
        assert (row["weight"][learned] == np.float32(lab.GUESS_WEIGHT)).all()
        assert (row["hint"] == NO_HINT).all() and (row["family"] == -1).all()
        assert set(row["position"][row["segment"] == 1][:1]) == {1}, "right behind the head"
        texts = {
            draft.text: draft.finding.answer for draft in story.drafts(random.Random(number), 4)
        }
        for place in range(1, row["segment"].max() + 1):
            here = decode(row["ids"][row["segment"] == place])
            question, answer = here.removesuffix(lab.HEAD).split("\nAnswer: ")
            assert texts[question.removeprefix("\nQuestion: ")] == answer
    assert 20 < unread < 40


def test_hard_families_are_asked_more_often(tokenizer, stories):
    """The first question of a sequence is of a family as often as its share of the offer."""
    shares = {"structure": 4.0, "fact": 0.25}
    weighed = lab.SequenceWriter(tokenizer, Syllabus(per_family=2, shares=shares, hints_at=()))
    first: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    names = list(lab.FAMILY_IDS)
    for number in range(240):
        story = stories[number % 20]
        drafts = story.drafts(random.Random(number), 2)
        row = weighed(story, random.Random(number), LENGTH)
        ids = row["family"][row["family"] >= 0]
        if len(ids) == 0 or len(set(row["segment"][row["family"] >= 0])) < len(drafts):
            continue  # of notes or an undated text only some may be asked
        first[names[ids[0]]] += 1
        total = sum(shares.get(draft.family.name, 1.0) for draft in drafts)
        for draft in drafts:
            expected[draft.family.name] += shares.get(draft.family.name, 1.0) / total
    assert sum(first.values()) > 90
    for name in ("structure", "fact", "relation"):
        spread = 3 * max(expected[name], 1.0) ** 0.5
        assert first[name] == pytest.approx(expected[name], abs=spread), name
    assert first["structure"] > 4 * first["fact"]


KINDS = (Kind("lab", (7, 9), (2, 9), 500, share=2), Kind("lab", (7, 7), (1, 3), 300, share=3))


def batches(tokenizer, seed=0, rank=0, world=1):
    lessons = [Lesson(KINDS[0], 4), Lesson(KINDS[1], 3, SYLLABI["hard"])]
    return lab.LessonBatches(tokenizer, lessons, seed, rank, world)


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


def test_a_batch_is_a_function_of_seed_step_and_process(tokenizer):
    source = batches(tokenizer)
    later, first = source[2], source[0]
    assert equal(batches(tokenizer)[2], later)
    assert not equal(first, later)
    assert not equal(batches(tokenizer, seed=1)[2], later)
    assert first.ids.shape == later.ids.shape == (4, 500)
    assert source[1].ids.shape == (3, 300), "the lessons take turns"


def test_processes_share_out_the_documents(tokenizer):
    """Those of step 0 in two processes are those of steps 0 and 1 in one, lesson by lesson."""
    shared = [batches(tokenizer, rank=rank, world=2)[0] for rank in range(2)]
    assert not equal(*shared)
    alone = lab.LessonBatches(tokenizer, [Lesson(KINDS[0], 4)], 0, 0, 1)
    assert all(equal(alone[step], batch) for step, batch in enumerate(shared))


def test_sequences_that_share_a_document_differ(tokenizer, decode):
    """In how far it is read, in its days, in what is asked; the document is one."""
    batch = batches(tokenizer)[1]
    people = []
    for row in range(3):
        text = decode(batch.ids[row][batch.segment[row] == CONTEXT])
        people.append({word.strip(".,'s") for word in text.split() if word[0].isupper()})
        others = (other for other in range(3) if other != row)
        assert not any(torch.equal(batch.ids[row], batch.ids[other]) for other in others)
    assert len(people[0] & people[1] & people[2]) > 2
    following = decode(batches(tokenizer)[3].ids[0])
    assert not any(len(name) > 3 and f" {name}" in following for name in people[0] - {"Day"})


def test_a_story_is_read_within_the_bounds_of_its_kind(tokenizer, monkeypatch):
    seen = []

    def write(self, story, rng, length):
        seen.append(story)
        return pack([Piece([END_ID], [0.0])], length)

    monkeypatch.setattr(lab.SequenceWriter, "__call__", write)
    kind = Kind("lab", (7, 9), (3, 20), 10, share=4)
    source = lab.LessonBatches(tokenizer, [Lesson(kind, 8)], 0, 0, 1)
    for step in range(30):
        assert source[step].ids.shape == (8, 10)
    read = [story.upto + 1 for story in seen]
    assert min(read) == 3 and max(read) == 9
    assert all(story.upto < len(story.asker.world.days) for story in seen)
    assert len({id(story.asker) for story in seen[:4]}) == 1


def test_a_training_holds_about_as_many_tokens_a_step_as_it_is_told():
    for name, kinds in LESSONS.items():
        for lesson, kind in zip(lessons_of(name, "hard", 38_400), kinds, strict=True):
            assert lesson.kind == kind and lesson.syllabus == SYLLABI["hard"]
            assert lesson.batch % kind.share == 0
            assert 30_000 < lesson.batch * kind.length <= 38_400
        assert [lesson.batch for lesson in lessons_of(name, "hints", 1)] == [k.share for k in kinds]


def test_long_lessons_are_read_to_their_end(tokenizer, decode):
    kind = replace(LESSONS["long"][-1], share=1, chunks=(66, 66), read=(66, 66))
    batch = lab.LessonBatches(tokenizer, [Lesson(kind, 1)], 0, 0, 1)[0]
    assert batch.ids.shape == (1, kind.length)
    text = decode(batch.ids[0][batch.segment[0] == CONTEXT])
    assert len(text.split(CHUNK_SEPARATOR)) == 66, "the longest document fits"
    assert int(batch.segment.max()) > 10, "and questions after it"
