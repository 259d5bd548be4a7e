"""Greedy answers: a frozen reasoner reads a prefix once and answers every question about it.

Shapes: P = prefix positions, Q = question tokens, N = questions, D = width of the reasoner.

The prefix is a sequence of input embeddings, so the same code reads a document, a summary or
latents. Each question is asked alone: the cache of the prefix is copied for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from transformers import DynamicCache

from ..models import CausalLM

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


@torch.inference_mode()
def greedy_answers(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    questions: Sequence[Sequence[str]],
    *,
    most_tokens: int = MOST_TOKENS,
    documents_at_once: int = 8,
) -> list[list[str]]:
    """Answer `questions[i]` after reading `prefixes[i]`, for every i.

    Args:
        lm: the frozen reasoner.
        prefixes: one for each document; their lengths may differ.
        questions: the questions about each document, as plain text.
        most_tokens: longest answer, in tokens; a longer one is cut.
        documents_at_once: documents read in one batch.

    Returns:
        The text of every answer, up to the end token or the first line break.
    """
    answers: list[list[str]] = []
    for start in range(0, len(prefixes), documents_at_once):
        here = slice(start, start + documents_at_once)
        prompts = [[lm.encode(lm.prompt.ask(text)) for text in texts] for texts in questions[here]]
        answers += _answer_batch(lm, prefixes[here], prompts, most_tokens)
    return answers


@torch.inference_mode()
def greedy_text(
    lm: CausalLM, prefixes: Sequence[Prefix], prompt: str, most_tokens: int
) -> list[str]:
    """What the model writes after each prefix and the same prompt, such as a summary."""
    ids = lm.encode(prompt)
    texts: list[str] = []
    for start in range(0, len(prefixes), 8):
        batch = prefixes[start : start + 8]
        texts += [row[0] for row in _answer_batch(lm, batch, [[ids]] * len(batch), most_tokens)]
    return texts


def _answer_batch(
    lm: CausalLM, prefixes: Sequence[Prefix], prompts: list[list[list[int]]], most_tokens: int
) -> list[list[str]]:
    cache, mask = _read(lm, prefixes)
    after = torch.tensor([[prefix.after] for prefix in prefixes], device=lm.device)
    owners = [owner for owner, rows in enumerate(prompts) for _ in rows]
    if not owners:
        return [[] for _ in prompts]
    cache.batch_select_indices(torch.tensor(owners, device=lm.device))
    flat = [row for rows in prompts for row in rows]
    texts = _decode(lm, cache, mask[owners], after[owners], flat, most_tokens)
    return [list(_take(texts, len(rows))) for rows in prompts]


def _take(texts: Iterator[str], count: int) -> Iterator[str]:
    return (next(texts) for _ in range(count))


def _read(lm: CausalLM, prefixes: Sequence[Prefix]) -> tuple[DynamicCache, Tensor]:
    """Cache of the left-padded prefixes, and which of its positions are real [B, P]."""
    longest = max(len(prefix.x_PD) for prefix in prefixes)
    width = prefixes[0].x_PD.shape[1]
    embeds = torch.zeros(len(prefixes), longest, width, device=lm.device)
    mask = torch.zeros(len(prefixes), longest, dtype=torch.int64, device=lm.device)
    position = torch.zeros_like(mask)
    for row, prefix in enumerate(prefixes):
        start = longest - len(prefix.x_PD)
        embeds[row, start:] = prefix.x_PD.to(embeds)
        mask[row, start:] = 1
        position[row, start:] = prefix.position_P
    cache = DynamicCache(config=lm.model.config)
    lm.model.base_model(
        inputs_embeds=embeds.to(lm.model.dtype),
        attention_mask=mask,
        position_ids=position,
        past_key_values=cache,
        use_cache=True,
    )
    return cache, mask


def _decode(
    lm: CausalLM,
    cache: DynamicCache,
    mask: Tensor,
    after: Tensor,
    prompts: list[list[int]],
    most_tokens: int,
) -> Iterator[str]:
    """Feed the left-padded prompts [N, Q], then the likeliest token again and again."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), lm.eos_token_id, device=lm.device)
    asked = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt, device=lm.device)
        asked[row, longest - len(prompt) :] = 1
    position = after + (asked.cumsum(1) - 1).clamp(min=0)
    mask = torch.cat([mask, asked], 1)
    written: list[Tensor] = []
    open_rows = torch.ones(len(prompts), dtype=torch.bool, device=lm.device)
    for _ in range(most_tokens):
        logits = lm.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        ids = logits.argmax(-1, keepdim=True)
        written.append(torch.where(open_rows, ids[:, 0], lm.eos_token_id))
        open_rows &= ids[:, 0] != lm.eos_token_id
        if not bool(open_rows.any()):
            break
        position = position[:, -1:] + 1
        mask = torch.cat([mask, torch.ones_like(ids)], 1)
    tokens = torch.stack(written, 1).tolist()
    return (_text(lm, row) for row in tokens)


def _text(lm: CausalLM, tokens: list[int]) -> str:
    if lm.eos_token_id in tokens:
        tokens = tokens[: tokens.index(lm.eos_token_id)]
    return lm.decode(tokens).strip().split("\n")[0].strip()
