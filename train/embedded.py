"""The teacher's token embeddings as the first layer of batches whose store does not hold them.

Embeddings are hidden state 0. They follow from the token ids that every store holds, so nothing has
to be extracted again, and a checkpoint needs no table: its record names the teacher by hash, and
the layers it reads, for this one as for all others.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from .batches import Batch
from .loader import Finish

Embed = Callable[[Tensor], Tensor]
"""Token ids [B, T] -> what the teacher's first block reads [B, T, D]."""


def add_embeddings(embed: Embed, finish: Finish) -> Finish:
    """Complete batches by embeddings, in the precision of the other states.

    Args:
        embed: of the teacher, on the device that trains.
        finish: completes the batches before.
    """

    def both(step: int, batch: Batch) -> Batch:
        batch = finish(step, batch)
        h_BTLD, mask_BT = batch.states.h_BTLD, batch.states.mask_BT
        with torch.no_grad():
            e_BTD = embed(batch.token_ids_BT).to(h_BTLD.dtype)
        e_BTD = e_BTD.masked_fill(~mask_BT[..., None], 0)
        states = replace(batch.states, h_BTLD=torch.cat([e_BTD[:, :, None], h_BTLD], 2))
        return replace(batch, states=states)

    return both
