"""Documents and questions of a batch as padded rows, under a dense mask: any model, any device.

Shapes: B = documents, P = prefix positions, Q = questions of a document, S = all positions so far,
N = questions of the batch, A = questions that go on, D = width, V = vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from ..models.loading import CausalLM
from ..models.segments import CONTEXT, PADDING, attention_mask
from .logits import logits_of
from .prefix import Prefix


class PaddedReading:
    """A batch of prefixes with their prompts, and the cache of what was read so far."""

    def __init__(
        self, lm: CausalLM, prefixes: Sequence[Prefix], prompts: list[list[list[int]]]
    ) -> None:
        self._lm = lm
        self._cache = DynamicCache(config=lm.model.config)
        rows = [self._row(*pair) for pair in zip(prefixes, prompts, strict=True)]
        x, segment, position, last = zip(*rows, strict=True)
        # Padding stands behind everything and is seen by nothing.
        self._x = pad_sequence(list(x), batch_first=True)
        self._segment_BS = pad_sequence(list(segment), batch_first=True, padding_value=PADDING)
        self._position_BS = pad_sequence(list(position), batch_first=True)
        self._last_BQ = pad_sequence(list(last), batch_first=True)
        counts = torch.tensor([len(row) for row in prompts], device=lm.device)
        self._real_BQ = torch.arange(self._last_BQ.shape[1], device=lm.device) < counts[:, None]
        self._next_BQ = self._position_BS.gather(1, self._last_BQ)

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

    def first(self) -> Tensor:
        """Read prefixes and prompts; logits of the first token of every answer [N, V]."""
        hidden = self._lm.model.base_model(
            inputs_embeds=self._x.to(self._lm.model.dtype),
            attention_mask=attention_mask(self._segment_BS, self._lm.model.dtype),
            position_ids=self._position_BS,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        at = self._last_BQ[..., None].expand(-1, -1, hidden.shape[-1])
        return logits_of(self._lm, hidden.gather(1, at))[self._real_BQ]

    def following(self, ids_A: Tensor, going_A: Tensor) -> Tensor:
        """Append one token to some answers; logits of the next one of each [A, V].

        A token is appended to the others as well, and nothing ever sees it.

        Args:
            ids_A: the tokens.
            going_A: numbers of the questions that they answer, in order.
        """
        rows_N, columns_N = self._real_BQ.nonzero(as_tuple=True)
        at = (rows_N[going_A], columns_N[going_A])
        ids_BQ = torch.zeros_like(self._next_BQ).index_put_(at, ids_A)
        self._next_BQ = self._next_BQ + 1
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
            position_ids=self._next_BQ,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        return logits_of(self._lm, hidden[at])
