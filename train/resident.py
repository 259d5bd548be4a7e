"""Batches whose states are resident on the device: no step waits for a disk or a bus.

For a store that fits into device memory. The CPU only chooses documents and packs questions; the
states are gathered on the device. The batches are equal to those
read from the disk, so a run may be resumed with or without residency.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..store.read.resident import ResidentStates
from .batches import Batch
from .loader import Finish
from .store_batches import StoreBatches


def add_resident(resident: ResidentStates, source: StoreBatches) -> Finish:
    """Complete batches without states, for `LoadedBatches`.

    Args:
        resident: the states, on the device.
        source: batches of the same store without layers, so that it reads no states.
    """

    def finish(step: int, batch: Batch) -> Batch:
        h_BTLD = gather(resident, source.indices(step), batch.states.mask_BT)
        return replace(batch, states=replace(batch.states, h_BTLD=h_BTLD))

    return finish


def gather(resident: ResidentStates, indices: tuple[int, ...], mask_BT: Tensor) -> Tensor:
    """States [B, T, L, D] of documents, zero where `mask_BT` marks padding."""
    device = resident.states.device
    start_B = torch.from_numpy(resident.starts[list(indices)]).to(device)
    place_BT = start_B[:, None] + torch.arange(mask_BT.shape[1], device=device)
    place_BT = place_BT.masked_fill_(~mask_BT, 0)
    return resident.states[place_BT].masked_fill_(~mask_BT[..., None, None], 0)
