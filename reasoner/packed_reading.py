"""Documents and questions of a batch in one row without padding, for CPUs.

What all questions about a document begin with is read once, as part of the document. An answer
that has ended is read no further. `reasoner/question_attention.py` has the attention.

Shapes: T = tokens of a row, N = questions of the batch, A = questions that go on, D = width,
V = vocabulary.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ..models.loading import CausalLM
from .logits import logits_of
from .prefix import Prefix
from .question_attention import Keys, Pass, Places, attending, can_read


class PackedReading:
    """A batch of prefixes with their prompts, and the keys of what was read so far."""

    @staticmethod
    def can(lm: CausalLM, prefixes: Sequence[Prefix], prompts: list[list[list[int]]]) -> bool:
        """Whether it reads these: on what machine, of what family, and no prompt empty."""
        return (
            can_read(lm.model)
            and all(len(prefix.x_PD) for prefix in prefixes)
            and all(prompt for row in prompts for prompt in row)
        )

    def __init__(
        self,
        lm: CausalLM,
        prefixes: Sequence[Prefix],
        prompts: list[list[list[int]]],
        most_tokens: int,
    ) -> None:
        """Take a batch; nothing is read before `first`.

        Args:
            lm: a model that `can` read them.
            prefixes: one for each document.
            prompts: token ids of every question about each document, none empty.
            most_tokens: longest answer.
        """
        self._lm = lm
        self._prefixes = prefixes
        self._shared = [_shared(row) for row in prompts]
        self._rest = [
            prompt[len(shared) :]
            for row, shared in zip(prompts, self._shared, strict=True)
            for prompt in row
        ]
        counts = [len(row) for row in prompts]
        self._document_N = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        starts = [
            prefix.after + len(shared)
            for prefix, shared in zip(prefixes, self._shared, strict=True)
        ]
        self._start_N = torch.tensor(starts)[self._document_N]
        self._read_N = torch.zeros(len(self._rest), dtype=torch.int64)
        longest = max(map(len, self._rest), default=0)
        self._own = (len(self._rest), longest + most_tokens)
        self._keys: dict[int, Keys] = {}

    def first(self) -> Tensor:
        """Read prefixes and prompts; logits of the first token of every answer [N, V]."""
        self._read_documents()
        lengths_N = torch.tensor([len(rest) for rest in self._rest])
        ids_T = torch.tensor([token for rest in self._rest for token in rest])
        question_T = torch.arange(len(lengths_N)).repeat_interleave(lengths_N)
        hidden_TD = self._read_tokens(ids_T, question_T)
        return logits_of(self._lm, hidden_TD[lengths_N.cumsum(0) - 1])

    def following(self, ids_A: Tensor, going_A: Tensor) -> Tensor:
        """Append one token to some answers; logits of the next one of each [A, V].

        Args:
            ids_A: the tokens.
            going_A: numbers of the questions that they answer, in order.
        """
        return logits_of(self._lm, self._read_tokens(ids_A, going_A))

    def _read_documents(self) -> None:
        """Every prefix and what all its prompts begin with: their keys are kept."""
        table = self._lm.model.get_input_embeddings()
        rows, places = [], []
        for prefix, shared in zip(self._prefixes, self._shared, strict=True):
            embedded = table(torch.tensor(shared, dtype=torch.int64))
            rows.append(torch.cat([prefix.x_PD.to(embedded), embedded]))
            places += [prefix.position_P, prefix.after + torch.arange(len(shared))]
        bounds = [0, *accumulate(len(row) for row in rows)]
        self._forward(Pass(bounds, self._keys, self._own), torch.cat(rows), torch.cat(places))

    def _read_tokens(self, ids_T: Tensor, question_T: Tensor) -> Tensor:
        """States [T, D] of tokens behind what was read of their questions."""
        counts_N = torch.bincount(question_T, minlength=len(self._rest))
        starts_N = counts_N.cumsum(0) - counts_N
        offset_T = torch.arange(len(ids_T)) - starts_N[question_T] + self._read_N[question_T]
        self._read_N += counts_N
        tokens_B = torch.bincount(self._document_N[question_T], minlength=len(self._prefixes))
        row = Pass(
            [0, *tokens_B.cumsum(0).tolist()],
            self._keys,
            self._own,
            Places.of(question_T, offset_T),
        )
        x_TD = self._lm.model.get_input_embeddings()(ids_T)
        return self._forward(row, x_TD, self._start_N[question_T] + offset_T)

    def _forward(self, row: Pass, x_TD: Tensor, position_T: Tensor) -> Tensor:
        body: Any = self._lm.model.base_model
        with attending(self._lm.model):
            out = body(
                inputs_embeds=x_TD[None],
                position_ids=position_T[None],
                use_cache=False,
                row_pass=row,
            )
        hidden_TD: Tensor = out.last_hidden_state[0]
        return hidden_TD


def _shared(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The tokens that all prompts begin with; of each the last one at least is left."""
    most = min((len(prompt) - 1 for prompt in prompts), default=0)
    columns = zip(*(prompt[:most] for prompt in prompts), strict=True)
    shared: list[int] = []
    for column in columns:
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return shared
