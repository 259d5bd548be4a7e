"""Greedy answers: a frozen reasoner reads a prefix once and answers every question about it.

Shapes: B = documents, P = prefix positions, N = questions of a batch, A = questions that go on,
D = width of the reasoner.

The prefix is a sequence of input embeddings, so the same code reads a document, a summary or
latents. Each question is asked alone, right after the prefix; the prefix is never copied. A batch
is read in one of two ways that give the same answers: padded under a dense mask, by any model on
any device (`padded_reading.py`), or, on a CPU and by most families, as one row in which only what
is seen is computed (`packed_reading.py`).
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import torch

from ..models.loading import CausalLM
from .adapted import adapted, adapters_of
from .packed_reading import PackedReading
from .padded_reading import PaddedReading
from .prefix import Prefix as Prefix

MOST_TOKENS: Final = 16
"""Longest answer, in tokens."""


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
        generated, unended = generate(lm, prefixes[batch], prompts, most_tokens)
        on_cut(sum(map(is_cut, unended)))
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
        generated, _ = generate(lm, prefixes[batch], encoded, most_tokens)
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


def reading(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    prompts: list[list[list[int]]],
    most_tokens: int = MOST_TOKENS,
) -> PackedReading | PaddedReading:
    """A batch that is ready to be read, in the faster way where there is one.

    Args:
        lm: who reads it.
        prefixes: one for each document.
        prompts: token ids of every question about each document.
        most_tokens: longest answer.
    """
    if PackedReading.can(lm, prefixes, prompts):
        return PackedReading(lm, prefixes, prompts, most_tokens)
    return PaddedReading(lm, prefixes, prompts)


def generate(
    lm: CausalLM, prefixes: Sequence[Prefix], prompts: list[list[list[int]]], most_tokens: int
) -> tuple[list[list[str]], list[str]]:
    """The text behind every prompt, the likeliest token each time, up to the end token.

    Returns:
        The texts by document, and those of them that did not end by themselves.
    """
    count = sum(map(len, prompts))
    if not count:
        return [[] for _ in prompts], []
    with adapted(lm, adapters_of(prefixes)):
        return _generate(lm, prefixes, prompts, most_tokens, count)


def _generate(
    lm: CausalLM,
    prefixes: Sequence[Prefix],
    prompts: list[list[list[int]]],
    most_tokens: int,
    count: int,
) -> tuple[list[list[str]], list[str]]:
    batch = reading(lm, prefixes, prompts, most_tokens)
    tokens: list[list[int]] = [[] for _ in range(count)]
    going_A = torch.arange(count, device=lm.device)
    ids_A = batch.first().argmax(-1)
    for step in range(most_tokens):
        for number, token in zip(going_A.tolist(), ids_A.tolist(), strict=True):
            tokens[number].append(token)
        on_A = ids_A != lm.eos_token_id
        going_A, ids_A = going_A[on_A], ids_A[on_A]
        if not len(going_A) or step == most_tokens - 1:
            break
        ids_A = batch.following(ids_A, going_A).argmax(-1)
    texts = [text_of(lm, each) for each in tokens]
    rows = iter(texts)
    unended = [texts[number] for number in going_A.tolist()]
    return [[next(rows) for _ in row] for row in prompts], unended


def text_of(lm: CausalLM, tokens: list[int]) -> str:
    """The text of generated tokens, up to the end token."""
    if lm.eos_token_id in tokens:
        tokens = tokens[: tokens.index(lm.eos_token_id)]
    return lm.decode(tokens).strip()
