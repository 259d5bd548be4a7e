"""Batches whose states are resident on the device: no step waits for a disk or a bus.

For a store that fits into device memory. The CPU only chooses documents and packs questions; the
prefetching thread does that, and gathers the states on the device. The batches are equal to those
read from the disk, so a run may be resumed with or without residency.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..store.read.resident import ResidentStates
from .batches import Batch
from .device_transfer import DeviceTransfer, PendingBatch
from .prefetcher import Prefetcher
from .workers import Source


class ResidentBatches:
    """Batches of a store that is kept on the device."""

    def __init__(self, source: Source, resident: ResidentStates, transfer: DeviceTransfer) -> None:
        """Join the two.

        Args:
            source: batches of the same store without layers, so that it reads no states.
            resident: the states, on the device.
            transfer: to that device.
        """
        self._source, self._resident, self._transfer = source, resident, transfer
        self._prefetcher = Prefetcher(self._make)

    def _make(self, step: int) -> PendingBatch:
        indexed = self._source.indexed(step)

        def with_states(batch: Batch) -> Batch:
            h_BTLD = gather(self._resident, indexed.indices, batch.states.mask_BT)
            return replace(batch, states=replace(batch.states, h_BTLD=h_BTLD))

        return self._transfer.start(indexed.batch, with_states)

    def at(self, step: int) -> Batch:
        """The batch of a step, on the device; steps must be requested in order."""
        return self._transfer.wait(self._prefetcher.at(step))

    def describe(self) -> Mapping[str, object]:
        """Of the source: residency does not change the batches."""
        return self._source.describe()

    def close(self) -> None:
        """Stop the thread."""
        self._prefetcher.close()
        self._source.close()


def gather(resident: ResidentStates, indices: tuple[int, ...], mask_BT: Tensor) -> Tensor:
    """States [B, T, L, D] of documents, zero where `mask_BT` marks padding."""
    device = resident.states.device
    start_B = torch.from_numpy(resident.starts[list(indices)]).to(device)
    place_BT = start_B[:, None] + torch.arange(mask_BT.shape[1], device=device)
    place_BT = place_BT.masked_fill_(~mask_BT, 0)
    return resident.states[place_BT].masked_fill_(~mask_BT[..., None, None], 0)
