"""Packing of chronicles into training sequences: one context and several isolated questions.

Shapes: T = tokens of a sequence (padded), B = sequences of a batch.

Every question is its own *segment*: it attends to the context and to itself, and its positions
continue from the end of the context. So each question is trained as it is used: alone, right
after the document.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..corpus.chronicle.generator import Chronicle, chronicle
from ..corpus.chronicle.presets import PRESETS
from ..corpus.chronicle.questions import FAMILIES, Draft
from ..corpus.chronicle.summary import NOTE_SEPARATOR
from ..corpus.chronicle.world import Relation
from ..models.segments import CONTEXT, PADDING
from .architecture import END_ID
from .tokenizer import END_TOKEN

HEAD: Final = END_TOKEN
QUESTION: Final = "\nQuestion: {question}\nAnswer:"
SUMMARY: Final = "\nSummary in {budget} tokens:"
NOTES: Final = "Notes: {summary}"
"""Context of questions about a summary instead of the document."""

TEXT_WEIGHT, SUMMARY_WEIGHT, ANSWER_WEIGHT = 0.5, 1.0, 4.0
MAX_QUESTIONS = 24
NO_HINT: Final = -100
"""Value of `LessonBatch.hint` without a hint; `ignore_index` of torch's cross-entropy."""
NOTES_SHARE = 0.15
SUMMARY_SHARE = 0.35
SUMMARY_RATIOS = (4, 4, 8, 16)
FAMILY_IDS: Final = {name: number for number, name in enumerate(FAMILIES)}

Arrays = dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class LessonBatch:
    """Padded sequences."""

    ids: Tensor
    """int64 [B, T] token ids."""
    segment: Tensor
    """int64 [B, T]: 0 the context, 1.. the questions, -1 padding."""
    position: Tensor
    """int64 [B, T] for the rotary embedding."""
    weight: Tensor
    """float32 [B, T]: weight of predicting this token from the ones before it."""
    family: Tensor
    """int64 [B, T]: id of the question family on answer tokens, else -1."""
    hint: Tensor
    """int64 [B, T]: target of the intermediate blocks at this token, else `NO_HINT`."""

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the fields."""
        return self.ids, self.segment, self.position, self.weight, self.family, self.hint

    def to(self, device: torch.device) -> "LessonBatch":
        """The same batch on a device."""
        return LessonBatch(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    def copy_from(self, other: "LessonBatch") -> None:
        """Take over the content of another batch of the same shape, in place."""
        for mine, theirs in zip(self.tensors(), other.tensors(), strict=True):
            mine.copy_(theirs, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Syllabus:
    """Sampling weights of the questions, and auxiliary targets."""

    per_family: int
    """Most questions of a family that are drafted about a document."""
    shares: Mapping[str, float]
    """Relative sampling weight of a family; 1 for the rest."""
    stress: Mapping[str, float] = field(default_factory=dict)
    """Factor on the loss weight of a family's answers; 1 for the rest."""
    hints_at: tuple[float, ...] = ()
    """Depths, as shares of the blocks, at which a question knows who is meant (`_hint`)."""


BROAD: Final = Syllabus(
    per_family=4,
    shares={"two_hop": 2.0, "as_of": 2.0, "when": 1.5, "relation": 1.5, "order": 1.5},
)
TWO_HOP: Final = Syllabus(
    per_family=12,
    shares={"two_hop": 8.0, "structure": 2.0, "as_of": 2.0, "original": 1.5, "latest": 1.5},
    stress={"two_hop": 4.0},
    hints_at=(1 / 3, 1 / 2),
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the sequences of one stage of training look like."""

    chunks: tuple[int, int]
    length: int
    """T, in tokens."""
    batch: int
    """B, in sequences of one process."""
    syllabus: Syllabus = BROAD


@dataclass(frozen=True, slots=True)
class _Piece:
    """One segment of a sequence."""

    ids: list[int]
    weights: list[float]
    family: int = -1
    hint: Sequence[int] = ()
    """Tokens to be known half-way, one at each token of the prompt from its question mark on."""
    prompt: int = 0
    """Tokens before the answer."""


_FROM_MARK: Final = 4
"""Last tokens of a prompt: question mark, line break, `Answer`, colon."""


class SequenceWriter:
    """Turns chronicles into one padded sequence each."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, syllabus: Syllabus = BROAD) -> None:
        self._tokenizer, self._syllabus = tokenizer, syllabus

    def __call__(self, story: Chronicle, rng: random.Random, length: int) -> Arrays:
        """One sequence of `length` tokens: a context, then as many questions as fit."""
        whole = rng.random() >= NOTES_SHARE
        if whole:
            context, drafts = story.document.text, list(story.drafts)
        else:
            context, drafts = self._notes(story, rng)
        head = self._encode([HEAD + context])[0]
        pieces = [_Piece(head, [0.0] + [TEXT_WEIGHT] * (len(head) - 1))]
        if whole and rng.random() < SUMMARY_SHARE:
            pieces.append(self._summary(story, rng, len(head)))
        shares = self._syllabus.shares
        drafts.sort(key=lambda pair: rng.random() ** (1 / shares.get(pair[0], 1.0)), reverse=True)
        del drafts[MAX_QUESTIONS:]
        return _pack(pieces + self._questions(drafts), length)

    def _questions(self, drafts: list[tuple[str, Draft]]) -> list[_Piece]:
        prompts = self._encode([QUESTION.format(question=draft.text) for _, draft in drafts])
        answers = self._encode([f" {draft.answer}" for _, draft in drafts])
        return [
            _Piece(
                ids=[*prompt, *answer, END_ID],
                weights=[0.0] * len(prompt) + [self._stress(family)] * (len(answer) + 1),
                family=FAMILY_IDS[family],
                hint=self._hint(draft) if self._syllabus.hints_at else (),
                prompt=len(prompt),
            )
            for (family, draft), prompt, answer in zip(drafts, prompts, answers, strict=True)
        ]

    def _stress(self, family: str) -> float:
        return ANSWER_WEIGHT * self._syllabus.stress.get(family, 1.0)

    def _hint(self, draft: Draft) -> Sequence[int]:
        """The name of the person whom a question names by a relation only.

        Answers alone teach two hops slowly. Neither hop pays before the other is there, and a
        teacher that answers `relation` in its last blocks has none left for the second hop
        (docs/LOG.md). The hint asks for the first hop early. It is a target for half-way blocks
        only: no input shows it, and no answer is read there.
        """
        first = draft.evidence[0]
        if not isinstance(first, Relation):
            return ()
        return self._encode([f" {first.agent}"])[0][:_FROM_MARK]

    def _notes(self, story: Chronicle, rng: random.Random) -> tuple[str, list[tuple[str, Draft]]]:
        kept = list(story.notes[: rng.randint(4, len(story.notes))])
        held = {event for event, _ in kept}
        drafts = [
            (family, draft)
            for family, draft in story.drafts
            if draft.in_summary and held.issuperset(draft.evidence)
        ]
        return NOTES.format(summary=NOTE_SEPARATOR.join(text for _, text in kept)), drafts

    def _summary(self, story: Chronicle, rng: random.Random, tokens: int) -> _Piece:
        budget = tokens // rng.choice(SUMMARY_RATIOS)
        prompt = self._encode([SUMMARY.format(budget=budget)])[0]
        body = self.summary_ids(story, budget)
        ids = [*prompt, *body, END_ID]
        return _Piece(ids, [0.0] * len(prompt) + [SUMMARY_WEIGHT] * (len(body) + 1))

    def summary_ids(self, story: Chronicle, budget: int) -> list[int]:
        """The reference summary: as many whole notes, newest first, as fit in `budget` tokens."""
        texts = [f" {text}" for _, text in story.notes]
        separator = self._encode([NOTE_SEPARATOR.rstrip()])[0]
        body: list[int] = []
        for ids in self._encode(texts):
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


def _pack(pieces: list[_Piece], length: int) -> Arrays:
    ids = np.full(length, END_ID, np.int64)
    hint = np.full(length, NO_HINT, np.int64)
    segment = np.full(length, PADDING, np.int64)
    position = np.zeros(length, np.int64)
    weight = np.zeros(length, np.float32)
    family = np.full(length, -1, np.int64)
    context = min(len(pieces[0].ids), length)
    at = 0
    for number, piece in enumerate(pieces):
        if number and at + len(piece.ids) > length:
            continue
        end = min(at + len(piece.ids), length)
        here = slice(at, end)
        ids[here] = piece.ids[: end - at]
        weight[here] = piece.weights[: end - at]
        segment[here] = number or CONTEXT
        position[here] = np.arange(end - at) + (context if number else 0)
        family[here] = np.where(weight[here] > 0, piece.family, -1)
        mark = at + piece.prompt - _FROM_MARK
        hint[mark : mark + len(piece.hint)] = piece.hint
        at = end
    return {
        "ids": ids,
        "segment": segment,
        "position": position,
        "weight": weight,
        "family": family,
        "hint": hint,
    }


class LessonBatches(torch.utils.data.Dataset[LessonBatch]):
    """Batch number i, for one process of `world`; a function of its arguments only."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        lesson: Lesson,
        seed: int,
        rank: int,
        world: int,
    ) -> None:
        self._write = SequenceWriter(tokenizer, lesson.syllabus)
        self._lesson, self._seed, self._rank, self._world = lesson, seed, rank, world

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, step: int) -> LessonBatch:
        lesson = self._lesson
        start = (step * self._world + self._rank) * lesson.batch
        rows = [self._row(index) for index in range(start, start + lesson.batch)]
        return LessonBatch(
            *(torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0])
        )

    def _row(self, index: int) -> Arrays:
        lesson = self._lesson
        rng = random.Random(f"lesson/{self._seed}/{lesson.length}/{index}")
        story = chronicle(
            PRESETS["lab"],
            "train",
            self._seed,
            index,
            chunks=rng.randint(*lesson.chunks),
            questions_per_family=lesson.syllabus.per_family,
        )
        return self._write(story, rng, lesson.length)
