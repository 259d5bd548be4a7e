"""Reading documents with the teacher again and comparing with the stored states.

Checksums show that the bytes are those that were written; only this shows that they were right:
of this teacher, of this layer, token by token.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..format.dtypes import DTYPES
from ..format.encoding import encoding_of
from ..format.schema import LayerRecord
from ..format.statistics import OUTLIERS
from ..read.reader import FeatureStore

Reread = Callable[[Sequence[int], Sequence[LayerRecord]], torch.Tensor]
"""Token ids and layers -> [tokens, layers, hidden], as the teacher reads them now."""

TOLERANCES = {"float32": 2.0**-8, "bfloat16": 2.0**-3, "float16": 2.0**-3}
"""Precision of the teacher -> largest relative error of a token. Another batch or device changes
the last bits that the teacher computes: in float32 less than one unit in the last place of
bfloat16, in half precision what the roundings of all its blocks add up to. A wrong layer may lie
within the latter, so the neighbouring layers are compared, too, and the stored one must be the
nearest."""


LEAST_SIZE = 2.0**-14
"""Share of the largest token of a document below which a token's own size says nothing."""


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """One layer of one document against what the teacher computes now."""

    document_id: str
    blocks_completed: int
    error: float
    """Largest relative L2 error of a token, over all dimensions or over those that are not
    listed as outliers, which would hide the others: whichever is larger."""
    exact: float
    """Share of the values that are equal to the last bit."""
    nearest: LayerRecord
    """Which of this layer and its neighbours the stored states are nearest to."""
    ok: bool
    """True if the error is within the tolerance and no neighbour is nearer."""

    def __str__(self) -> str:
        text = (
            f"document {self.document_id!r}, layer after {self.blocks_completed} blocks: "
            f"a token is {self.error:.2g} off what the teacher computes"
        )
        if self.nearest.blocks_completed != self.blocks_completed:
            text += f"; it looks like the layer after {self.nearest.blocks_completed} blocks"
        return text


def compare(
    store: FeatureStore, indices: Sequence[int], reread: Reread, tolerance: float
) -> Iterator[LayerComparison]:
    """Read some documents again and compare every stored layer of them.

    Args:
        store: what was stored.
        indices: of the documents.
        reread: the teacher.
        tolerance: largest relative error of a token; see `TOLERANCES`.

    Raises:
        StoreError: stored data is missing or damaged.
    """
    wanted = _with_neighbours(store)
    for index in indices:
        document = store.read(index)
        again = reread(document.token_ids.tolist(), wanted)
        for column, layer in enumerate(store.manifest.layers):
            stored = document.states[:, column]
            near = {at: again[:, wanted.index(at)] for at in _around(layer, store)}
            yield _compare_layer(store, column, document.document_id, stored, near, tolerance)


def _compare_layer(
    store: FeatureStore,
    column: int,
    document_id: str,
    stored: torch.Tensor,
    near: dict[LayerRecord, torch.Tensor],
    tolerance: float,
) -> LayerComparison:
    layer = store.manifest.layers[column]
    errors = {at: _error(store, column, stored, states) for at, states in near.items()}
    # An error that is not finite is never the nearest, least of all for the layer itself.
    nearest = min(errors, key=lambda at: (errors[at], at != layer))
    return LayerComparison(
        document_id=document_id,
        blocks_completed=layer.blocks_completed,
        error=errors[layer],
        exact=float((_as_stored(store, near[layer]) == stored).double().mean()),
        nearest=nearest,
        ok=errors[layer] <= tolerance and nearest == layer,
    )


def _error(store: FeatureStore, column: int, stored: torch.Tensor, states: torch.Tensor) -> float:
    again, kept = _as_stored(store, states).double(), stored.double()
    dimensions = np.arange(stored.shape[1])
    outliers = [outlier.dimension for outlier in store.statistics[column].outliers]
    parts = [dimensions]
    if stored.shape[1] > 2 * OUTLIERS:
        parts.append(np.setdiff1d(dimensions, outliers))
    worst = max(float(_relative(again[:, part], kept[:, part]).max()) for part in parts)
    return worst if math.isfinite(worst) else math.inf


def _relative(again: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Relative errors of tokens. One that is next to nothing, such as the embedding of padding, is
    held against the size of the others: by its own any rounding would be infinite."""
    sizes = torch.linalg.vector_norm(kept, dim=-1)
    least = LEAST_SIZE * float(sizes.max()) or 1.0
    errors: torch.Tensor = torch.linalg.vector_norm(again - kept, dim=-1) / sizes.clamp_min(least)
    return errors


def _as_stored(store: FeatureStore, states: torch.Tensor) -> torch.Tensor:
    """The states [tokens, hidden] with the precision that the store keeps."""
    manifest = store.manifest
    dtype = DTYPES[manifest.dtype]
    form = encoding_of(dtype, manifest.teacher.hidden_size, manifest.codec)
    bits = dtype.to_bits(states).copy()
    return dtype.to_tensor(form.decode(form.encode(bits, len(bits))))


def _with_neighbours(store: FeatureStore) -> list[LayerRecord]:
    layers = {at for layer in store.manifest.layers for at in _around(layer, store)}
    return sorted(layers, key=lambda at: (at.blocks_completed, at.post_norm))


def _around(layer: LayerRecord, store: FeatureStore) -> list[LayerRecord]:
    """The layer and those that could be mistaken for it."""
    blocks, last = layer.blocks_completed, store.manifest.teacher.blocks
    depths = [depth for depth in (blocks - 1, blocks, blocks + 1) if 0 <= depth <= last]
    around = [LayerRecord(blocks_completed=depth, post_norm=False) for depth in depths]
    if layer.post_norm or blocks == last:
        around.append(LayerRecord(blocks_completed=last, post_norm=True))
    return around
