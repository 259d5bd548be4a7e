"""What a lab model reads and is asked in training: chronicles, new ones in every step.

A context is one of four: the document with every day written in, the document as it ships (some
chunks do not tell their day, and questions that need it are left out), notes in its place, or, in
a syllabus that asks for it, nothing: then the answers are to be guessed.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from ..corpus.chronicle4.chronicle import Draft, Told, tell
from ..corpus.chronicle4.evidence import needs_days
from ..corpus.chronicle4.families import FAMILIES
from ..corpus.chronicle4.notes import NOTE_SEPARATOR, Note, needed_notes, note_list
from ..corpus.chronicle4.presets import preset
from ..corpus.chronicle4.queries import Query
from .architecture import END_ID
from .curriculum import Lesson, Syllabus
from .hints import question_hints, sentence_hints
from .sequences import FROM_MARK, HINTS, Arrays, LessonBatch, Piece, pack, stacked
from .tokenizer import END_TOKEN, SPACE

HEAD: Final = END_TOKEN
QUESTION: Final = "\nQuestion: {question}\nAnswer:"
SUMMARY: Final = "\nSummary in {budget} tokens:"
NOTES: Final = "Notes: {summary}"
"""Context of questions about a summary instead of the document."""

TEXT_WEIGHT, SUMMARY_WEIGHT, ANSWER_WEIGHT, GUESS_WEIGHT = 0.1, 1.0, 4.0, 1.0
NOTES_SHARE = 0.1
DATED_SHARE = 0.6
"""Of the sequences with a document: its days are all written in."""
SUMMARY_SHARE = 0.35
SUMMARY_RATIOS = (4, 4, 8, 16)
FAMILY_IDS: Final = {name: number for number, name in enumerate(FAMILIES)}


class SequenceWriter:
    """Turns chronicles into one padded sequence each."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, syllabus: Syllabus) -> None:
        self._tokenizer, self._syllabus = tokenizer, syllabus

    def __call__(self, story: Told, rng: random.Random, length: int) -> Arrays:
        """One sequence of `length` tokens: a context, then as many questions as fit."""
        drafts = story.drafts(rng, self._syllabus.per_family)
        if self._syllabus.unread and rng.random() < self._syllabus.unread:
            rng.shuffle(drafts)
            return pack([self._context(""), *self._guesses(drafts)], length)
        if rng.random() < NOTES_SHARE:
            context, drafts = _from_notes(story, drafts, rng)
            pieces = [self._context(context)]
        else:
            dated = rng.random() < DATED_SHARE
            drafts = drafts if dated else _answered_undated(story, drafts)
            pieces = [self._document(story, dated)]
            if rng.random() < SUMMARY_SHARE:
                pieces.append(self._summary(story, rng, len(pieces[0].ids)))
        shares = self._syllabus.shares
        keys = {id(d): rng.random() ** (1 / shares.get(d.family.name, 1.0)) for d in drafts}
        drafts.sort(key=lambda draft: keys[id(draft)], reverse=True)
        return pack(pieces + self._questions(story, drafts), length)

    def _context(self, text: str) -> Piece:
        ids = self._encode([HEAD + text])[0]
        return Piece(ids, [0.0] + [TEXT_WEIGHT] * (len(ids) - 1))

    def _document(self, story: Told, dated: bool) -> Piece:
        """The text read so far; hints stand at the end of every sentence."""
        text = HEAD + story.text(dated=dated)
        backend = self._tokenizer.backend_tokenizer
        coded = backend.encode(text, add_special_tokens=False)
        ends = {end: at for at, (_, end) in enumerate(coded.offsets)}
        rows: list[dict[int, int]] = [{} for _ in range(HINTS)]
        if self._syllabus.hints_at:
            for end, words in sentence_hints(story, dated):
                for row, word in zip(rows, words, strict=True):
                    if word:
                        row[ends[len(HEAD) + end]] = self._first(word)
        weights = [0.0] + [TEXT_WEIGHT] * (len(coded.ids) - 1)
        return Piece(coded.ids, weights, hints=rows)

    def _first(self, word: str) -> int:
        """The first token of a name or value that is more than a space."""
        ids = self._encode([f" {word}"])[0]
        return ids[0] if self._tokenizer.convert_ids_to_tokens(ids[0]) != SPACE else ids[1]

    def _questions(self, story: Told, drafts: Sequence[Draft]) -> list[Piece]:
        return [
            replace(piece, hints=self._hints(story, draft.query, int(np.argmax(piece.weights))))
            for draft, piece in zip(drafts, self._asked(drafts, ANSWER_WEIGHT), strict=True)
        ]

    def _guesses(self, drafts: Sequence[Draft]) -> list[Piece]:
        """The same without hints, which nothing that was read could give; of no family either,
        so that the accuracies of the log are those of answers that can be known."""
        return [replace(piece, family=-1) for piece in self._asked(drafts, GUESS_WEIGHT)]

    def _asked(self, drafts: Sequence[Draft], weight: float) -> list[Piece]:
        prompts = self._encode([QUESTION.format(question=draft.text) for draft in drafts])
        answers = self._encode([f" {draft.finding.answer}" for draft in drafts])
        return [
            Piece(
                ids=[*prompt, *answer, END_ID],
                weights=[0.0] * len(prompt) + [weight] * (len(answer) + 1),
                family=FAMILY_IDS[draft.family.name],
            )
            for draft, prompt, answer in zip(drafts, prompts, answers, strict=True)
        ]

    def _hints(self, story: Told, query: Query, prompt: int) -> Sequence[Mapping[int, int]]:
        """The names of those whom a question leads to, on the last tokens of its prompt."""
        if not self._syllabus.hints_at:
            return ()
        rows: list[Mapping[int, int]] = []
        for name in question_hints(story, query):
            ids = self._encode([f" {name}"])[0] if name else []
            rows.append(dict(enumerate(ids[:FROM_MARK], start=prompt - FROM_MARK)))
        return rows

    def _summary(self, story: Told, rng: random.Random, tokens: int) -> Piece:
        budget = tokens // rng.choice(SUMMARY_RATIOS)
        prompt = self._encode([SUMMARY.format(budget=budget)])[0]
        body = self.summary_ids(note_list(story.view), budget)
        ids = [*prompt, *body, END_ID]
        return Piece(ids, [0.0] * len(prompt) + [SUMMARY_WEIGHT] * (len(body) + 1))

    def summary_ids(self, notes: Sequence[Note], budget: int) -> list[int]:
        """The reference summary: as many whole notes, newest first, as fit in `budget` tokens."""
        separator = self._encode([NOTE_SEPARATOR.rstrip()])[0]
        body: list[int] = []
        for ids in self._encode([f" {note.text}" for note in notes]):
            more = [*separator, *ids] if body else ids
            if len(body) + len(more) > budget:
                break
            body += more
        return body

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        backend = self._tokenizer.backend_tokenizer
        return [coded.ids for coded in backend.encode_batch(texts, add_special_tokens=False)]


def _answered_undated(story: Told, drafts: Sequence[Draft]) -> list[Draft]:
    """Questions that the text answers as it ships, where some chunks do not tell their day."""
    others = story.other_views()
    return [d for d in drafts if not needs_days(d.query, d.finding.answer, others)]


def _from_notes(story: Told, drafts: list[Draft], rng: random.Random) -> tuple[str, list[Draft]]:
    every = note_list(story.view)
    kept = every[: rng.randint(min(4, len(every)), len(every))]
    held = {note.about for note in kept}
    needed = ((draft, needed_notes(story.view, draft.query)) for draft in drafts)
    left = [draft for draft, about in needed if about is not None and held.issuperset(about)]
    return NOTES.format(summary=NOTE_SEPARATOR.join(note.text for note in kept)), left


class LessonBatches(torch.utils.data.Dataset[LessonBatch]):
    """Batch number i, for one process of `world`; a function of its arguments only.

    With several lessons, the batches alternate between them.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        lessons: Sequence[Lesson],
        seed: int,
        rank: int,
        world: int,
    ) -> None:
        self._writers = [SequenceWriter(tokenizer, lesson.syllabus) for lesson in lessons]
        self._lessons, self._seed, self._rank, self._world = lessons, seed, rank, world

    def __getitem__(self, step: int) -> LessonBatch:
        at = step % len(self._lessons)
        lesson = self._lessons[at]
        stories = lesson.batch // lesson.kind.share
        start = (step * self._world + self._rank) * stories
        return stacked([row for each in range(stories) for row in self._rows(at, start + each)])

    def _rows(self, at: int, index: int) -> list[Arrays]:
        kind = self._lessons[at].kind
        rng = random.Random(f"lesson/{self._seed}/{at}/{index}")
        chunks = rng.randint(*kind.chunks)
        story = tell(preset(kind.preset), "train", self._seed, index, chunks=chunks)
        low, high = (min(most, chunks) for most in kind.read)
        parts = (replace(story, upto=rng.randint(low, high) - 1) for _ in range(kind.share))
        return [self._writers[at](part, rng, kind.length) for part in parts]
