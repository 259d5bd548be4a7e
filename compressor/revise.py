"""Documents that arrive chunk by chunk, in a memory of constant size that every chunk rewrites.

After each chunk, the latents so far and its tokens are compressed together into as many latents as
the document has in all: a latent of the memory counts like a token, says what it says, and what it
stands for goes on in the latents that are made of it. Until so many are there, nothing need be
dropped. What `memory.py` says of causal teachers holds here too, but old latents are rewritten.

How many latents a document has is fixed before it is read, from its length: of a beginning, from
the length of the beginning. So at one ratio all memories of a text are equally large.

Shapes: B = documents, N = chunks of all documents, K = latents of a document (padded).
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .memory import Memory, by_chunk, counts_before
from .states import States

if TYPE_CHECKING:
    from .perceiver import Latents


def revised(compressor: Any, states: States, counts_B: Tensor, max_latents: int) -> "Latents":  # noqa: ANN401
    """Read documents chunk by chunk; the memory after the last one.

    Args:
        compressor: takes a `Memory` beside states.
        states: of whole documents, or of beginnings of them.
        counts_B: int64, latents of each document.
        max_latents: K, at least the largest count.
    """
    chunks, documents = by_chunk(states), len(states.mask_BT)
    number_N = counts_before(torch.ones_like(chunks.document_N), chunks.document_N, documents)
    made: Latents | None = None
    for number in range(int(number_N.max()) + 1):
        rows = (number_N == number).nonzero()[:, 0]
        of_B = chunks.document_N[rows]
        part, room_B = chunks.states.rows(rows), counts_B[of_B]
        if made is None:  # every document has a first chunk
            counts = torch.minimum(room_B, part.tokens_B)
            made = compressor(part, counts, max_latents)
            continue
        held = Memory(
            made.z_BKE[of_B],
            made.mask_BK[of_B],
            made.position_BK[of_B],
            chunks.place_NS[rows, 0],
        )
        counts = torch.minimum(room_B, held.mask_BK.sum(1) + part.tokens_B)
        made = _put(made, of_B, compressor(part, counts, max_latents, held))
    assert made is not None
    return made


def _put(made: "Latents", of_B: Tensor, new: "Latents") -> "Latents":
    """The latents of some documents replaced."""

    def put(old: Tensor, values: Tensor) -> Tensor:
        return old.index_put((of_B,), values.to(old.dtype))

    return type(made)(
        put(made.z_BKE, new.z_BKE),
        put(made.mask_BK, new.mask_BK),
        put(made.position_BK, new.position_BK),
    )
