"""Which tokens a latent stands for.

Shapes: B = documents, K = latents, T = tokens.
"""

import torch
from torch import Tensor

from .allocation import segments
from .model import Compressed
from .states import States


def latent_of_token(compressed: Compressed, states: States) -> Tensor:
    """int64 [B, T]: the latent that stands for each token; without meaning at padding.

    Where tokens go whole, or chunks were compressed one by one, the compressor says it. With other
    learned mass it is the latent that the middle of a token's mass falls into. Else the document
    is cut into equal segments, unless latents carry positions (`model.positions = tokens`) that
    are not the middles of such segments: then it is the nearest latent, the earlier of two.
    """
    mask_BK, position_BK = compressed.mask_BK, compressed.position_BK
    if compressed.latent_BT is not None:
        return compressed.latent_BT
    if compressed.mass_BT is not None:
        middle_BT = compressed.mass_BT.cumsum(1) - compressed.mass_BT / 2
        return middle_BT.long().clamp(max=mask_BK.shape[1] - 1)
    pool_BKT, middle_BK, _ = segments(states.mask_BT, mask_BK.sum(1), mask_BK.shape[1])
    if position_BK is None or torch.equal(position_BK[mask_BK], middle_BK.long()[mask_BK]):
        return pool_BKT.argmax(1)
    steps_T = torch.arange(states.mask_BT.shape[1], device=mask_BK.device)
    distance_BKT = (position_BK[:, :, None] - steps_T).abs()
    far = torch.iinfo(distance_BKT.dtype).max
    return distance_BKT.masked_fill(~mask_BK[:, :, None], far).argmin(1)
