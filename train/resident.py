"""Batches whose states lie on the device already: no step waits for a disk or a bus.

For a store that fits. What is left for the CPU is the choice of documents and questions; that,
and gathering the states on the device, is done ahead in a thread. The batches are equal to those
that are read from the disk, so a run may change between the two.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..store.read.resident import ResidentStates
from .ahead import Ahead
from .batches import Batch
from .staging import Staged, Staging
from .workers import Source


class ResidentBatches:
    """Batches of a store that is kept on the device."""

    def __init__(self, source: Source, resident: ResidentStates, staging: Staging) -> None:
        """Join the two.

        Args:
            source: of the same store, made with no layers: it reads no states.
            resident: the states, on the device.
            staging: of that device.
        """
        self._source, self._resident, self._staging = source, resident, staging
        self._ahead = Ahead(self._make)

    def _make(self, step: int) -> Staged:
        found = self._source.indexed(step)

        def with_states(batch: Batch) -> Batch:
            h_BTLD = gather(self._resident, found.indices, batch.states.mask_BT)
            return replace(batch, states=replace(batch.states, h_BTLD=h_BTLD))

        return self._staging.lay(found.batch, with_states)

    def at(self, step: int) -> Batch:
        """The batch of a step, on the device; steps are asked for in order."""
        return self._staging.take(self._ahead.at(step))

    def describe(self) -> Mapping[str, object]:
        """Of the source: where the states lie decides nothing."""
        return self._source.describe()

    def close(self) -> None:
        """Stop the thread."""
        self._ahead.close()
        self._source.close()


def gather(resident: ResidentStates, indices: tuple[int, ...], mask_BT: Tensor) -> Tensor:
    """States [B, T, L, D] of documents, zero where `mask_BT` says padding."""
    device = resident.states.device
    start_B = torch.from_numpy(resident.starts[list(indices)]).to(device)
    place_BT = start_B[:, None] + torch.arange(mask_BT.shape[1], device=device)
    place_BT = place_BT.masked_fill_(~mask_BT, 0)
    return resident.states[place_BT].masked_fill_(~mask_BT[..., None, None], 0)
