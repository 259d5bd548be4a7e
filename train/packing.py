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
        at, number = 0, CONTEXT
        for question in rng.sample(list(questions), len(questions)):
            end = at + len(question)
            if end > positions:
                continue
            number += 1
            ids[row, at:end] = question.prompt_ids + question.answer_ids
            segment[row, at:end] = number
            offset[row, at:end] = np.arange(end - at)
            answer[row, at + len(question.prompt_ids) : end] = True
            at = end
    return PackedQuestions(*(torch.from_numpy(part) for part in (ids, segment, offset, answer)))
