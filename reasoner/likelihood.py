"""Log-likelihoods of given answers: what a frozen reasoner makes of each after its prefix.

The answers to a question stand behind it side by side, and a mask keeps them from seeing each
other, so prefix and question are read once for all of them.

Shapes: B = rows of a batch, S = positions (padded), N = answer tokens of a batch, D = width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..corpus.records import Question
from ..models.loading import CausalLM, TextSide
from ..models.segments import CONTEXT, PADDING
from .adapted import adapted, adapters_of
from .encoding import answer_ids, prompt_ids
from .generate import Prefix
from .logits import logits_of

ROW_TOKENS: Final = 1024
"""Tokens of questions and answers behind one prefix at a time; attention grows with the square."""
_PROMPT: Final = 0
"""Variant of the tokens of a question; those of its answers are 1, 2 and so on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A question and the answers that are weighed, in the reasoner's tokens."""

    prompt_ids: tuple[int, ...]
    """From the end of the document to the beginning of the answer."""
    answers: tuple[tuple[int, ...], ...]
    """Tokens of each answer, end token included where it has one."""

    def __len__(self) -> int:
        return len(self.prompt_ids) + sum(map(len, self.answers))


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


def encode_choice(lm: TextSide, question: Question, answers: Sequence[str]) -> Choice:
    """Tokens of a question and of answers to it, as training and generation have them."""
    ids = tuple(tuple(answer_ids(lm, question, answer)) for answer in answers)
    return Choice(tuple(prompt_ids(lm, question)), ids)


@torch.inference_mode()
def log_likelihoods(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    choices: Sequence[Sequence[Choice]],
    *,
    row_tokens: int = ROW_TOKENS,
    batch_size: int = 8,
) -> list[list[list[Likelihood]]]:
    """The likelihood of every answer of every choice in `choices[i]` after `prefixes[i]`.

    Args:
        lm: the frozen reasoner.
        prefixes: one for each document.
        choices: of each document; no question sees another, and no answer another.
        row_tokens: tokens behind one prefix; what does not fit is read behind it once more.
        batch_size: rows of one batch.
    """
    likelihoods: list[list[list[Likelihood]]] = [[] for _ in prefixes]
    rows = [
        (document, row)
        for document, given in enumerate(choices)
        for row in _rows(given, row_tokens)
    ]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        logs = _read(lm, [(prefixes[document], row) for document, row in batch])
        for document, row in batch:
            likelihoods[document] += [[next(logs) for _ in each.answers] for each in row]
    return likelihoods


def _rows(given: Sequence[Choice], row_tokens: int) -> Iterator[list[Choice]]:
    """The same in order, in rows of at most so many tokens, or of one choice that is longer."""
    row: list[Choice] = []
    for each in given:
        if row and sum(map(len, row)) + len(each) > row_tokens:
            yield row
            row = []
        row.append(each)
    if row:
        yield row


@dataclass(frozen=True, slots=True)
class _Row:
    """Choices behind a prefix; [S] each, but for what is asked of them."""

    x_SD: Tensor
    segment_S: Tensor
    """`CONTEXT` for the prefix, then the number of the question from 1."""
    variant_S: Tensor
    """`_PROMPT`, or the number of the answer from 1."""
    position_S: Tensor
    before: list[int]
    """Of each answer token the place whose state predicts it."""
    targets: list[int]
    lengths: list[int]
    """Tokens of each answer."""


def _row(lm: CausalLM, prefix: Prefix, choices: Sequence[Choice]) -> _Row:
    start = len(prefix.x_PD)
    ids: list[int] = []
    segment, variant, offset = [CONTEXT] * start, [_PROMPT] * start, list[int]()
    before: list[int] = []
    for number, choice in enumerate(choices, start=1):
        prompted = len(choice.prompt_ids)
        ids += choice.prompt_ids
        variant += [_PROMPT] * prompted
        offset += range(prompted)
        last = start + len(ids) - 1
        for which, answer in enumerate(choice.answers, start=1):
            first = start + len(ids)
            before += [last, *range(first, first + len(answer) - 1)]
            ids += answer
            variant += [which] * len(answer)
            offset += range(prompted, prompted + len(answer))
        segment += [number] * len(choice)
    answers = [answer for choice in choices for answer in choice.answers]
    table = lm.model.get_input_embeddings()
    embedded = table(torch.tensor(ids, dtype=torch.int64, device=lm.device))
    counted = torch.tensor(offset, dtype=torch.int64, device=lm.device) + prefix.after
    return _Row(
        torch.cat([prefix.x_PD.to(embedded), embedded]),
        torch.tensor(segment, device=lm.device),
        torch.tensor(variant, device=lm.device),
        torch.cat([prefix.position_P.to(lm.device), counted]),
        before,
        [token for answer in answers for token in answer],
        [len(answer) for answer in answers],
    )


def _read(lm: CausalLM, batch: Sequence[tuple[Prefix, Sequence[Choice]]]) -> Iterator[Likelihood]:
    """Likelihoods of all answers of all rows, one after the other."""
    rows = [_row(lm, *each) for each in batch]
    segment_BS = pad_sequence(
        [row.segment_S for row in rows], batch_first=True, padding_value=PADDING
    )
    variant_BS = pad_sequence([row.variant_S for row in rows], batch_first=True)
    dtype = lm.model.dtype
    with adapted(lm, adapters_of([prefix for prefix, _ in batch])):
        hidden_BSD = lm.model.base_model(
            inputs_embeds=pad_sequence([row.x_SD for row in rows], batch_first=True).to(dtype),
            attention_mask=_mask(segment_BS, variant_BS, dtype),
            position_ids=pad_sequence([row.position_S for row in rows], batch_first=True),
            use_cache=False,
        ).last_hidden_state
    for hidden_SD, row in zip(hidden_BSD, rows, strict=True):
        logits_NV = logits_of(lm, hidden_SD[row.before]).float()
        targets_N1 = torch.tensor(row.targets, device=lm.device)[:, None]
        logs_N = logits_NV.log_softmax(-1).gather(1, targets_N1)[:, 0].double().cpu()
        for logs in torch.split(logs_N, row.lengths):
            yield Likelihood(float(logs.sum()), len(logs))


def _mask(segment_BS: Tensor, variant_BS: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask [B, 1, S, S]: causal, to the prefix, one's own question and one's own answer.

    Padding attends to itself alone, which keeps its softmax finite.
    """
    query, key = segment_BS[:, :, None], segment_BS[:, None, :]
    own = (variant_BS[:, None, :] == _PROMPT) | (variant_BS[:, None, :] == variant_BS[:, :, None])
    steps = torch.arange(segment_BS.shape[1], device=segment_BS.device)
    seen = (steps[:, None] >= steps[None, :]) & ((key == CONTEXT) | ((key == query) & own))
    seen &= query != PADDING
    seen |= torch.eye(len(steps), dtype=torch.bool, device=segment_BS.device)
    mask = torch.zeros(seen.shape, dtype=dtype, device=segment_BS.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
