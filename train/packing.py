"""Questions as training tensors: packed behind one context, none seeing another.

Shapes: B = documents, S = question positions (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from ..models import TextSide
from ..segments import CONTEXT, PADDING
from ..store.records import Question


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """One question and its answer in the reasoner's tokens."""

    prompt_ids: tuple[int, ...]
    """From the end of the document to the beginning of the answer."""
    answer_ids: tuple[int, ...]
    """The answer and the end token: what is learned."""

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)


@dataclass(frozen=True, slots=True)
class PackedQuestions:
    """Questions of a batch, ready to stand behind their contexts."""

    ids_BS: Tensor
    """int64: tokens of prompts and answers."""
    segment_BS: Tensor
    """int64: 1, 2, ... for the questions, `PADDING` after them."""
    offset_BS: Tensor
    """int64: place of the token within its own question."""
    answer_BS: Tensor
    """bool: token of an answer, end token included."""


def encode_questions(lm: TextSide, questions: Sequence[Question]) -> tuple[EncodedQuestion, ...]:
    """Tokens of questions, as the reasoner will be asked them; all in one call, for speed."""
    texts = [lm.prompt.ask(question.text) for question in questions]
    texts += [f" {question.answer}" for question in questions]
    coded = lm.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    count = len(questions)
    return tuple(
        EncodedQuestion(tuple(prompt.ids), (*answer.ids, lm.eos_token_id))
        for prompt, answer in zip(coded[:count], coded[count:], strict=True)
    )


def pack(
    asked: Sequence[Sequence[EncodedQuestion]], positions: int, rng: Random
) -> PackedQuestions:
    """Pack as many questions of each document, in random order, as fit into `positions`."""
    shape = (len(asked), positions)
    ids = np.zeros(shape, np.int64)
    segment = np.full(shape, PADDING, np.int64)
    offset = np.zeros(shape, np.int64)
    answer = np.zeros(shape, np.bool_)
    for row, questions in enumerate(asked):
        kept = _that_fit(rng.sample(list(questions), len(questions)), positions)
        # Lists, and one array of each at the end: this holds the interpreter's lock, which the
        # training thread needs for launching kernels.
        told = [token for question in kept for token in question.prompt_ids + question.answer_ids]
        ids[row, : len(told)] = told
        lengths = [len(question) for question in kept]
        segment[row, : len(told)] = np.repeat(np.arange(1, len(kept) + 1) + CONTEXT, lengths)
        starts = np.repeat(np.cumsum([0, *lengths])[: len(kept)], lengths)
        offset[row, : len(told)] = np.arange(len(told)) - starts
        prompts = np.repeat([len(question.prompt_ids) for question in kept], lengths)
        answer[row, : len(told)] = offset[row, : len(told)] >= prompts
    return PackedQuestions(*(torch.from_numpy(part) for part in (ids, segment, offset, answer)))


def _that_fit(questions: Sequence[EncodedQuestion], positions: int) -> list[EncodedQuestion]:
    """From the first on, every question that finds room beside those before it."""
    kept: list[EncodedQuestion] = []
    for question in questions:
        if len(question) <= positions:
            kept.append(question)
            positions -= len(question)
    return kept
