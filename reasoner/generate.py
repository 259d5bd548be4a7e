"""Greedy answers: a frozen reasoner reads a prefix once and answers every question about it.

Shapes: B = documents, P = prefix positions, Q = questions of a document, S = all positions so
far, D = width of the reasoner.

The prefix is a sequence of input embeddings, so the same code reads a document, a summary or
latents. Each question is asked alone, right after the prefix: the questions of a document stand
in one sequence, where a mask (`models/segments.py`) keeps them apart; the prefix is never copied.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from ..models.loading import CausalLM
from ..models.segments import CONTEXT, PADDING, attention_mask
from .logits import logits_of

MOST_TOKENS: Final = 16
"""Longest answer, in tokens."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """What stands before the question: a document, a summary, latents, or nothing."""

    x_PD: Tensor
    """Input embeddings."""
    position_P: Tensor
    """int64, rotary position of each."""
    after: int
    """Position of the first token of a question."""

    @classmethod
    def counted(cls, x_PD: Tensor) -> "Prefix":
        """Positions 0, 1, 2, ..., as text has them."""
        return cls(x_PD, torch.arange(len(x_PD), device=x_PD.device), len(x_PD))


class Answerer(Protocol):
    """Who answers greedily: `greedy_answers` here, or another program with the same weights."""

    def __call__(
        self,
        lm: CausalLM,
        prefixes: Sequence[Prefix],
        questions: Sequence[Sequence[str]],
        *,
        most_tokens: int = ...,
        batch_size: int = ...,
        on_cut: Callable[[int], None] = ...,
    ) -> list[list[str]]:
        """As `greedy_answers`."""


@torch.inference_mode()
def greedy_answers(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    questions: Sequence[Sequence[str]],
    *,
    most_tokens: int = MOST_TOKENS,
    batch_size: int = 8,
    on_cut: Callable[[int], None] = lambda answers: None,
) -> list[list[str]]:
    """Answer `questions[i]` after reading `prefixes[i]`, for every i.

    Args:
        lm: the frozen reasoner.
        prefixes: one for each document; their lengths may differ.
        questions: the questions about each document, as plain text.
        most_tokens: longest answer, in tokens; a longer one is cut.
        batch_size: documents read in one batch.
        on_cut: receives, batch by batch, how many answers were not at their end when they had
            `most_tokens`.

    Returns:
        The text of every answer, up to the end token or the first line break.
    """
    answers: list[list[str]] = []
    for start in range(0, len(prefixes), batch_size):
        batch = slice(start, start + batch_size)
        prompts = [[lm.encode_question(text) for text in texts] for texts in questions[batch]]
        reading = GreedyBatch(lm, prefixes[batch], prompts)
        generated = reading.generate(most_tokens)
        on_cut(sum(map(is_cut, reading.unended)))
        answers += [[answer_of(text) for text in row] for row in generated]
    return answers


def answer_of(text: str) -> str:
    """The answer in what was generated: its first line."""
    return text.split("\n")[0].strip()


def is_cut(text: str) -> bool:
    """Whether a text that the model did not end itself lacks the end of its answer, too."""
    return "\n" not in text


@torch.inference_mode()
def greedy_texts(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    prompts: Sequence[str],
    most_tokens: int,
    *,
    batch_size: int = 8,
) -> list[str]:
    """The text that the model writes after each prefix and its prompt, such as a summary.

    Up to the end token, line breaks included.
    """
    texts: list[str] = []
    for start in range(0, len(prefixes), batch_size):
        batch = slice(start, start + batch_size)
        encoded = [[lm.encode(prompt)] for prompt in prompts[batch]]
        generated = GreedyBatch(lm, prefixes[batch], encoded).generate(most_tokens)
        texts += [row[0] for row in generated]
    return texts


@torch.inference_mode()
def vectors_before_questions(lm: CausalLM, prefix: Prefix) -> int:
    """Positions of a prefix that are not the prompt's head.

    The head is recognised by its embeddings and not by its length, so a vector in its place counts.
    """
    head = lm.encode(lm.prompt.head)[: len(prefix.x_PD)]
    ids = torch.tensor(head, dtype=torch.int64, device=prefix.x_PD.device)
    x_head = lm.model.get_input_embeddings()(ids.to(lm.device)).to(prefix.x_PD)
    same = (prefix.x_PD[: len(head)] == x_head).all(-1)
    return len(prefix.x_PD) - int(same.int().cumprod(0).sum())


class GreedyBatch:
    """A batch of prefixes with their prompts, and the cache of what was generated so far."""

    def __init__(
        self, lm: CausalLM, prefixes: Sequence[Prefix], prompts: list[list[list[int]]]
    ) -> None:
        self._lm = lm
        self._prompts = prompts
        self.unended: list[str] = []
        """Texts of the last generation that did not end by themselves."""
        self._cache = DynamicCache(config=lm.model.config)
        rows = [self._row(*pair) for pair in zip(prefixes, prompts, strict=True)]
        x, segment, position, last = zip(*rows, strict=True)
        # Padding stands behind everything and is seen by nothing.
        self._x = pad_sequence(list(x), batch_first=True)
        self._segment_BS = pad_sequence(list(segment), batch_first=True, padding_value=PADDING)
        self._position_BS = pad_sequence(list(position), batch_first=True)
        self._last_BQ = pad_sequence(list(last), batch_first=True)

    def _row(self, prefix: Prefix, prompts: list[list[int]]) -> tuple[Tensor, ...]:
        """Embeddings, segments, positions of one document, and where each prompt ends."""
        lm, start = self._lm, len(prefix.x_PD)
        ids = [token for prompt in prompts for token in prompt]
        lengths = torch.tensor([len(prompt) for prompt in prompts], dtype=torch.int64)
        embedded = lm.model.get_input_embeddings()(
            torch.tensor(ids, dtype=torch.int64, device=lm.device)
        )
        offsets = [torch.arange(len(prompt)) for prompt in prompts]
        offset = torch.cat([torch.empty(0, dtype=torch.int64), *offsets]).to(lm.device)
        numbers = torch.arange(1, len(prompts) + 1).repeat_interleave(lengths).to(lm.device)
        context = torch.full((start,), CONTEXT, device=lm.device)
        return (
            torch.cat([prefix.x_PD.to(embedded), embedded]),
            torch.cat([context, numbers]),
            torch.cat([prefix.position_P.to(lm.device), prefix.after + offset]),
            (start + lengths.cumsum(0) - 1).to(lm.device),
        )

    def generate(self, most_tokens: int) -> list[list[str]]:
        """The text behind every prompt, the likeliest token each time, up to the end token."""
        if self._last_BQ.shape[1] == 0:
            return [[] for _ in self._prompts]
        ids_BQ = self.first().argmax(-1)
        position_BQ = self.positions
        generated = [ids_BQ]
        going = self._real() & (ids_BQ != self._lm.eos_token_id)
        while bool(going.any()) and len(generated) < most_tokens:
            position_BQ = position_BQ + 1
            ids_BQ = self.following(ids_BQ, position_BQ).argmax(-1)
            generated.append(ids_BQ)
            going &= ids_BQ != self._lm.eos_token_id
        tokens = torch.stack(generated, -1).tolist()
        self.unended = [
            text_of(self._lm, tokens[row][column]) for row, column in going.nonzero().tolist()
        ]
        return [
            [text_of(self._lm, token_ids) for token_ids in row[: len(prompts)]]
            for row, prompts in zip(tokens, self._prompts, strict=True)
        ]

    def _real(self) -> Tensor:
        """bool [B, Q]: a question, not padding."""
        counts = torch.tensor([len(prompts) for prompts in self._prompts], device=self._lm.device)
        return torch.arange(self._last_BQ.shape[1], device=self._lm.device) < counts[:, None]

    @property
    def positions(self) -> Tensor:
        """int64 [B, Q]: position of the last token of every prompt."""
        return self._position_BS.gather(1, self._last_BQ)

    def first(self) -> Tensor:
        """Read prefixes and prompts; logits of the first token of every answer [B, Q, V]."""
        hidden = self._lm.model.base_model(
            inputs_embeds=self._x.to(self._lm.model.dtype),
            attention_mask=attention_mask(self._segment_BS, self._lm.model.dtype),
            position_ids=self._position_BS,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        at = self._last_BQ[..., None].expand(-1, -1, hidden.shape[-1])
        return logits_of(self._lm, hidden.gather(1, at))

    def following(self, ids_BQ: Tensor, position_BQ: Tensor) -> Tensor:
        """Append one token to every answer; logits of the next one [B, Q, V]."""
        own_BQ = torch.arange(1, ids_BQ.shape[1] + 1, device=ids_BQ.device).expand_as(ids_BQ)
        self._segment_BS = torch.cat([self._segment_BS, own_BQ], 1)
        key, query = self._segment_BS[:, None, :], own_BQ[:, :, None]
        # Of the tokens appended now, each sees itself; the others belong to other questions.
        seen = (key == CONTEXT) | (key == query)
        dtype = self._lm.model.dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        hidden = self._lm.model.base_model(
            input_ids=ids_BQ,
            attention_mask=mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None],
            position_ids=position_BQ,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        return logits_of(self._lm, hidden)


def text_of(lm: CausalLM, tokens: list[int]) -> str:
    """The text of generated tokens, up to the end token."""
    if lm.eos_token_id in tokens:
        tokens = tokens[: tokens.index(lm.eos_token_id)]
    return lm.decode(tokens).strip()
