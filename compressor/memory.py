"""Documents that arrive chunk by chunk: the latents of each chunk alone, behind those before it.

The teacher is causal: the states of a chunk do not depend on what comes after it. So the memory
after chunk c is the beginning of the memory of the whole document, nothing is read twice, and no
latent is ever rewritten. The number of latents is rounded up over all that has arrived, not chunk
by chunk, so a memory has as many as the same text compressed at once. Which third of the document
a chunk lies in is not known when it arrives, so it is not told here.

Shapes: B = documents, T = tokens (padded), N = chunks of all documents, S = tokens of the longest
chunk (padded), K = latents of a document (padded), J = latents of a chunk (padded).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .states import States


@dataclass(frozen=True, slots=True)
class Memory:
    """Latents of what was read before, to be read again beside new tokens (`revise.py`)."""

    z_BKE: Tensor
    mask_BK: Tensor
    """bool: a latent, not padding."""
    position_BK: Tensor
    """float32: where in the document it stands."""
    start_B: Tensor
    """int64: tokens that were read before."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of a batch, each as a document of its own."""

    states: States
    """[N, S, ...]."""
    document_N: Tensor
    """int64: row of the batch that a chunk is of; ascending, chunks in order."""
    place_NS: Tensor
    """int64: position of each token in its document; 0 for padding."""


def by_chunk(states: States) -> Chunks:
    """Cut documents into their chunks.

    Args:
        states: of whole documents, or of beginnings of them.
    """
    mask_BT, device = states.mask_BT, states.mask_BT.device
    rows, places = mask_BT.nonzero(as_tuple=True)
    new = torch.ones(len(rows), dtype=torch.bool, device=device)
    chunk = states.chunk_BT[rows, places]
    new[1:] = (rows[1:] != rows[:-1]) | (chunk[1:] != chunk[:-1])
    number = new.cumsum(0) - 1
    first = new.nonzero()[:, 0]
    within = torch.arange(len(rows), device=device) - first[number]
    shape = (len(first), int(within.max()) + 1)
    mask_NS = torch.zeros(shape, dtype=torch.bool, device=device)
    mask_NS[number, within] = True
    place_NS = torch.zeros(shape, dtype=torch.int64, device=device)
    place_NS[number, within] = places
    document_N = rows[first]

    def cut(values: Tensor, fill: int = 0) -> Tensor:
        taken = values[document_N[:, None], place_NS]
        wide = mask_NS.reshape(*mask_NS.shape, *[1] * (taken.dim() - 2))
        return taken.masked_fill(~wide, fill)

    made = States(
        cut(states.h_BTLD),
        mask_NS,
        cut(states.chunk_BT),
        torch.zeros_like(place_NS),
        cut(states.day_BT),
    )
    return Chunks(made, document_N, place_NS)


def appended(values_NJX: Tensor, mask_NJ: Tensor, document_N: Tensor, documents: int) -> Tensor:
    """What chunks have, one after the other in the row of their document.

    Args:
        values_NJX: of the latents of every chunk, [N, J, ...].
        mask_NJ: bool: a latent, not padding.
        document_N: row of each chunk, ascending.
        documents: B.

    Returns:
        [B, K, ...], zero where there is no latent.
    """
    rows = document_N[:, None].expand_as(mask_NJ)[mask_NJ]
    kept = values_NJX[mask_NJ]
    count_B = torch.bincount(rows, minlength=documents)
    first_B = count_B.cumsum(0) - count_B
    places = torch.arange(len(rows), device=rows.device) - first_B[rows]
    out = kept.new_zeros((documents, int(count_B.max()), *kept.shape[1:]))
    return out.index_put((rows, places), kept)


def counts_of(tokens_N: Tensor, document_N: Tensor, documents: int, ratio: float) -> Tensor:
    """Latents of each chunk: with those of earlier chunks as many as the text so far asks for.

    At least one each, taken from what later chunks of the document get.

    Args:
        tokens_N: int64, of each chunk.
        document_N: row of each chunk, ascending, chunks in order.
        documents: B.
        ratio: tokens per latent.

    Returns:
        int64 [N].
    """
    before_N = counts_before(tokens_N, document_N, documents)
    # In float64, as for whole documents: in float32, 33 / 3.3 is 10, and a little more in truth.
    asked_N = ((before_N + tokens_N).double() / ratio).ceil().long()
    number_N = counts_before(torch.ones_like(tokens_N), document_N, documents)
    longest = int(number_N.max()) + 1
    # With at least one latent a chunk, u(c) = max(u(c - 1) + 1, asked(c)): a running maximum of
    # asked(c) - c, in the row of the document.
    grid_BC = asked_N.new_zeros((documents, longest))
    grid_BC[document_N, number_N] = asked_N - number_N
    used_N = grid_BC.cummax(dim=1).values[document_N, number_N] + number_N
    return used_N - used_N.roll(1).masked_fill(number_N == 0, 0)


def counts_before(counts_N: Tensor, document_N: Tensor, documents: int) -> Tensor:
    """Latents of the earlier chunks of its document, for each chunk: int64 [N]."""
    before_N = counts_N.cumsum(0) - counts_N
    per_B = torch.zeros(documents, dtype=counts_N.dtype, device=counts_N.device)
    per_B = per_B.index_add(0, document_N, counts_N)
    return before_N - (per_B.cumsum(0) - per_B)[document_N]
