"""Log-likelihoods of given answers: what a frozen reasoner makes of each after its prefix.

Shapes: B = rows of a batch, P = prefix positions (padded), N = answer tokens of a batch, D = width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import torch
from torch.nn.utils.rnn import pad_sequence

from ..models.loading import CausalLM
from .frozen import Context, FrozenReasoner
from .generate import Prefix
from .packing import EncodedQuestion, PackedQuestions, pack_in_order

ROW_TOKENS: Final = 1024
"""Tokens of questions and answers behind one prefix at a time; attention grows with the square."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely one answer is, its end token included."""

    total: float
    """Natural logarithm of the probability of the whole answer."""
    tokens: int
    """Of the answer, end token included."""

    @property
    def mean(self) -> float:
        """Per token: does not favour short answers as `total` does."""
        return self.total / self.tokens


@torch.inference_mode()
def log_likelihoods(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    answers: Sequence[Sequence[EncodedQuestion]],
    *,
    row_tokens: int = ROW_TOKENS,
    batch_size: int = 8,
) -> list[list[Likelihood]]:
    """The likelihood of every answer in `answers[i]` after `prefixes[i]` and its own question.

    Args:
        lm: the frozen reasoner.
        prefixes: one for each document.
        answers: of each document: a question with one answer that is weighed; none sees another.
        row_tokens: tokens behind one prefix; what does not fit is read behind it once more.
        batch_size: rows of one batch.
    """
    likelihoods: list[list[Likelihood]] = [[] for _ in prefixes]
    rows = [
        (document, row)
        for document, given in enumerate(answers)
        for row in _rows(given, row_tokens)
    ]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        read = _read(lm, [prefixes[document] for document, _ in batch], [row for _, row in batch])
        for document, row in batch:
            likelihoods[document] += [next(read) for _ in row]
    return likelihoods


def _rows(given: Sequence[EncodedQuestion], row_tokens: int) -> Iterator[list[EncodedQuestion]]:
    """The same in order, in rows of at most so many tokens, or of one that is longer."""
    row: list[EncodedQuestion] = []
    for each in given:
        if row and sum(map(len, row)) + len(each) > row_tokens:
            yield row
            row = []
        row.append(each)
    if row:
        yield row


def _read(
    lm: CausalLM, prefixes: Sequence[Prefix], rows: Sequence[Sequence[EncodedQuestion]]
) -> Iterator[Likelihood]:
    """Likelihoods of all rows, one after the other."""
    packed = pack_in_order(rows, max(sum(map(len, row)) for row in rows))
    output = FrozenReasoner(lm).read(_context(lm, prefixes), _on(lm.device, packed))
    logs_N = output.logits_NV.log_softmax(-1).gather(1, output.targets_N[:, None])[:, 0]
    lengths = [len(each.answer_ids) for each in chain.from_iterable(rows)]
    for logs in torch.split(logs_N.double().cpu(), lengths):
        yield Likelihood(float(logs.sum()), len(logs))


def _on(device: torch.device, packed: PackedQuestions) -> PackedQuestions:
    return PackedQuestions(
        packed.ids_BS.to(device),
        packed.segment_BS.to(device),
        packed.offset_BS.to(device),
        packed.answer_BS.to(device),
    )


def _context(lm: CausalLM, prefixes: Sequence[Prefix]) -> Context:
    dtype = lm.model.dtype
    lengths_B = torch.tensor([len(prefix.x_PD) for prefix in prefixes], device=lm.device)
    return Context(
        pad_sequence([prefix.x_PD.to(dtype) for prefix in prefixes], batch_first=True),
        torch.arange(int(lengths_B.max()), device=lm.device) < lengths_B[:, None],
        pad_sequence([prefix.position_P.to(lm.device) for prefix in prefixes], batch_first=True),
        torch.tensor([prefix.after for prefix in prefixes], device=lm.device),
    )
