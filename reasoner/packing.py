"""Questions as training tensors: packed behind one context, none seeing another.

Shapes: B = documents, S = question positions (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..corpus.records import Question
from ..models.loading import TextSide
from ..models.segments import CONTEXT, PADDING
from ..store.format.schema import Integers


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
    kept = [_that_fit(rng.sample(row, len(row)), positions) for row in asked]
    # All documents in one sweep of array operations: a loop over them would hold the interpreter's
    # lock, which the training thread needs for launching kernels.
    told = [question for row in kept for question in row]
    questions_B = np.array([len(row) for row in kept], np.int64)
    lengths = np.array([len(question) for question in told], np.int64)
    prompts = np.array([len(question.prompt_ids) for question in told], np.int64)
    tokens_B = np.bincount(np.arange(len(kept)).repeat(questions_B), lengths, len(kept))
    places = np.arange(positions) < tokens_B[:, None]
    offset = _counted(lengths)
    return PackedQuestions(
        ids_BS=_laid(places, _token_ids(told, int(lengths.sum()))),
        segment_BS=_laid(places, (_counted(questions_B) + 1 + CONTEXT).repeat(lengths), PADDING),
        offset_BS=_laid(places, offset),
        answer_BS=_laid(places, offset >= prompts.repeat(lengths)),
    )


def _that_fit(questions: Sequence[EncodedQuestion], positions: int) -> list[EncodedQuestion]:
    """From the first on, every question that finds room beside those before it."""
    kept: list[EncodedQuestion] = []
    for question in questions:
        tokens = len(question)
        if tokens <= positions:
            kept.append(question)
            positions -= tokens
    return kept


def _token_ids(questions: Sequence[EncodedQuestion], tokens: int) -> Integers:
    parts = (part for q in questions for part in (q.prompt_ids, q.answer_ids))
    return np.fromiter(chain.from_iterable(parts), np.int64, tokens)


def _counted(lengths: Integers) -> Integers:
    """0, 1, 2, ... over each of these lengths, one after the other."""
    stops = lengths.cumsum()
    return np.arange(stops[-1] if len(stops) else 0) - (stops - lengths).repeat(lengths)


def _laid(places: npt.NDArray[np.bool_], values: npt.NDArray[Any], rest: int = 0) -> Tensor:
    """A tensor of the shape of `places`: `values` row by row where those are true, else `rest`."""
    out = np.full(places.shape, rest, values.dtype)
    out[places] = values
    return torch.from_numpy(out)
