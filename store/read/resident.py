"""All states of a store in device memory, so that training never waits for a disk."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...common.errors import StoreError
from ..format.dtypes import DTYPES
from ..format.schema import Integers
from .reader import FeatureStore


@dataclass(frozen=True, eq=False, slots=True)
class ResidentStates:
    """All states of some layers in one tensor."""

    states: torch.Tensor
    """[tokens, layers, hidden] in the stored dtype, on the device, contiguous."""
    starts: Integers
    """[documents] first token of every document; equal documents share one."""
    lengths: Integers
    """[documents] tokens of every document."""

    def document(self, index: int) -> torch.Tensor:
        """States of one document, [tokens, layers, hidden], without a copy."""
        start = int(self.starts[index])
        return self.states[start : start + int(self.lengths[index])]


def resident_bytes(store: FeatureStore, layers: Sequence[int] | None = None) -> int:
    """Bytes that `load_resident` needs on the device."""
    count = len(store.layers) if layers is None else len(layers)
    width = store.manifest.teacher.hidden_size
    return store.tokens * count * width * DTYPES[store.manifest.dtype].item_bytes


def load_resident(
    store: FeatureStore,
    layers: Sequence[int] | None = None,
    device: str | torch.device = "cpu",
) -> ResidentStates:
    """Read all tokens of a finished store once, shard by shard, onto a device.

    Raises:
        StoreError: the store is unfinished or damaged, or the device has too little memory.
    """
    if not store.complete:
        raise StoreError(f"{store.path}: not finished: extract the rest before keeping it resident")
    count = len(store.layers) if layers is None else len(layers)
    shape = (store.tokens, count, store.manifest.teacher.hidden_size)
    dtype = DTYPES[store.manifest.dtype].torch_dtype
    try:
        states = torch.empty(shape, dtype=dtype, device=device)
    except (torch.OutOfMemoryError, RuntimeError) as error:
        raise StoreError(
            f"{store.path}: {resident_bytes(store, layers) / 1e9:.1f} GB of states do not fit on "
            f"{device}: stream them instead"
        ) from error
    step = store.manifest.shard_tokens
    for start in range(0, store.tokens, step):
        stop = min(store.tokens, start + step)
        states[start:stop].copy_(store.read_tokens(start, stop, layers))
    return ResidentStates(states, store.starts, store.lengths)
