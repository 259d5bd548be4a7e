"""Teacher on plain transformers: forward hooks on the needed blocks, no deeper block runs.

Axis letters: B documents of the batch, T tokens, L layers, D hidden size.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from transformers import PreTrainedModel

from ...common.errors import TeacherError
from ...models.context import switch_lengths
from ...models.layers import EMBEDDINGS
from ...store.format.schema import LayerRecord, ModelIdentity
from . import packed_attention
from .hooks import DeepestReached, blocks_of, captured
from .host_copy import HostCopier, HostCopy
from .packing import Packing, pack
from .readable import refuse_bidirectional, same_side
from .reading_mode import PADDED, ReadingMode, compile_blocks

Documents = Sequence[Sequence[int]]

_PREFETCH = 1
"""Batches queued on the device beyond the one whose states are awaited."""


class LoadedModel(Protocol):
    """Interface of the models that the teacher reads with; a `CausalLM` satisfies it."""

    @property
    def identity(self) -> ModelIdentity:
        """Identity of the model."""
        ...

    @property
    def model(self) -> PreTrainedModel:
        """Frozen, in evaluation mode, on its device."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class QueuedPass:
    """A forward pass queued on the device, with the copy of its states to the host."""

    indices: tuple[int, ...]
    """Places in the batch of the documents that it reads."""
    copy: HostCopy
    cut: Callable[[torch.Tensor], list[torch.Tensor]]
    """Splits the states of all rows into those of each document."""


@dataclass(frozen=True, eq=False, slots=True)
class QueuedBatch:
    """A batch queued on the device: one pass, or several where a model reads by length."""

    passes: tuple[QueuedPass, ...]

    def wait(self) -> list[torch.Tensor]:
        """The states of each document, [tokens, layers, hidden] on the CPU."""
        states: dict[int, torch.Tensor] = {}
        for one in self.passes:
            states |= dict(zip(one.indices, one.cut(one.copy.wait()), strict=True))
        return [states[index] for index in sorted(states)]


class TransformersTeacher:
    """Reads documents with a Hugging Face causal language model.

    Own forward hooks rather than `output_hidden_states`: that option keeps every layer, and
    its list form counts blocks differently from one version of transformers to the next.
    """

    def __init__(self, lm: LoadedModel, mode: ReadingMode = PADDED) -> None:
        """Read with `lm`, on the device and in the precision that it was loaded with.

        Args:
            lm: the model; a compiled mode also affects other users of the same model.
            mode: how the documents are read.

        Raises:
            TeacherError: the blocks of this architecture cannot be found, or a token of it sees
                later ones.
        """
        self.mode = mode
        refuse_bidirectional(lm.model.config, lm.identity)
        self._switches = switch_lengths(lm.model.config.get_text_config())
        self._identity = lm.identity
        # The base model: its output is the last state, without the logits over the vocabulary.
        self._base = lm.model.base_model
        self._blocks = blocks_of(self._base, lm.identity)
        self._device = lm.model.device
        self._copier = HostCopier(self._device)
        packed_attention.register()
        compile_blocks(self._blocks, mode)

    @property
    def identity(self) -> ModelIdentity:
        """Identity of the model."""
        return self._identity

    @property
    def device(self) -> torch.device:
        """Device that computes."""
        return self._device

    def states(self, documents: Documents, layers: Sequence[LayerRecord]) -> list[torch.Tensor]:
        """Hidden states of each document, [tokens, layers, hidden] on the CPU.

        Raises:
            TeacherError: the batch does not fit into the memory of the device.
        """
        (states,) = self.stream([documents], layers)
        return states

    def stream(
        self, batches: Iterable[Documents], layers: Sequence[LayerRecord]
    ) -> Iterator[list[torch.Tensor]]:
        """`states` of one batch after another, in order: the device computes the next batch
        while the states of one are copied and used.

        Raises:
            TeacherError: a batch does not fit into the memory of the device.
        """
        waiting: deque[QueuedBatch] = deque()
        for documents in batches:
            waiting.append(self.queue(documents, layers))
            if len(waiting) > _PREFETCH:
                yield waiting.popleft().wait()
        while waiting:
            yield waiting.popleft().wait()

    @torch.inference_mode()
    def queue(self, documents: Documents, layers: Sequence[LayerRecord]) -> "QueuedBatch":
        """Queue a batch and the copy of its states; on a GPU this returns before the batch is
        computed.

        Raises:
            TeacherError: the batch does not fit into the memory of the device.
        """
        lengths = [len(document) for document in documents]
        if not layers or not lengths or min(lengths) == 0:
            raise ValueError("a batch needs layers, and documents of at least one token")
        try:
            groups = same_side(lengths, self._switches)
            passes = (self._queue_pass(documents, group, layers) for group in groups)
            return QueuedBatch(tuple(passes))
        except torch.OutOfMemoryError as error:
            raise TeacherError(
                f"a batch of {len(lengths):,} documents, the longest of {max(lengths):,} tokens, "
                f"does not fit into the memory of {self._device}; free some and run again, or "
                "begin another --run with a smaller --batch-tokens"
            ) from error

    def _queue_pass(
        self, batch: Documents, indices: tuple[int, ...], layers: Sequence[LayerRecord]
    ) -> QueuedPass:
        documents = [batch[index] for index in indices]
        if self.mode.packed:
            packing = pack(documents, self._device)
            states = torch.stack(self.read_packed(packing, layers), dim=1)
            return QueuedPass(indices, self._copier.start(states), packing.cut)
        states = torch.stack(self._read(self._padded(documents), layers), dim=2)
        return QueuedPass(
            indices,
            self._copier.start(states),
            lambda h_BTLD: [h_BTLD[row, : len(one)] for row, one in enumerate(documents)],
        )

    def read_padded(
        self, token_ids_BT: torch.Tensor, layers: Sequence[LayerRecord]
    ) -> torch.Tensor:
        """States [B, T, L, D] of right-padded documents, left on the device.

        For training with the teacher in the loop. Call it under `torch.no_grad()` rather than
        inference mode: what trains on the states has to keep them for its backward pass.

        Raises:
            TeacherError: it reads longer documents in another way, and the batch may hold both.
        """
        longest = token_ids_BT.shape[1]
        if self._switches and longest > self._switches[0] and layers != (EMBEDDINGS,):
            raise TeacherError(
                f"model {self._identity.name!r} reads documents of more than {self._switches[0]:,} "
                f"tokens in another way, and a batch of {longest:,} tokens may hold both kinds; "
                "train from a store (`latentcomp extract`), which keeps them apart"
            )
        return torch.stack(self._read(token_ids_BT, layers), dim=2)

    def read_packed(self, packing: Packing, layers: Sequence[LayerRecord]) -> list[torch.Tensor]:
        """One [T, D] tensor a layer, left on the device, without synchronisation."""
        with packed_attention.attending(self._base.config, self.mode.kernel):
            states = self._read(
                packing.token_ids,
                layers,
                position_ids=packing.position_ids,
                **packed_attention.packed_arguments(packing),
            )
        return [state[0] for state in states]

    def _padded(self, documents: Documents) -> torch.Tensor:
        """Token ids [B, T], padded on the right with token 0, which no token attends to."""
        rows = [torch.tensor(document) for document in documents]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self._device)

    def _read(
        self, token_ids_BT: torch.Tensor, layers: Sequence[LayerRecord], **more: torch.Tensor
    ) -> list[torch.Tensor]:
        """One [B, T, D] tensor a layer.

        Every block is causal and the padding is on the right, so no token of a document attends
        to it and no mask is passed: with one, attention would not use the fast causal kernels
        and would build a B x T x T mask.
        """
        depths = {layer.blocks_completed for layer in layers if not layer.post_norm}
        to_the_end = any(layer.post_norm for layer in layers)
        with (
            captured(self._blocks, depths, stop=not to_the_end) as after,
            suppress(DeepestReached),
        ):
            final = self._base(input_ids=token_ids_BT, use_cache=False, **more).last_hidden_state
        return [final if layer.post_norm else after[layer.blocks_completed] for layer in layers]
