"""Local attention: what a latent, or a token, may read of its neighbourhood.

Shapes: B = documents, T = tokens (padded), K = latents (padded).
"""

import torch
from torch import Tensor


def around_segments(pool_BKT: Tensor, mask_BT: Tensor, window: int) -> Tensor:
    """Tokens of a latent's segment and up to `window` on each side of it: bool [B, K, T].

    Padding latents, which stand for no token, may read the whole document: attention needs
    something to read, and what they become is not used.

    Args:
        pool_BKT: shares of each token in each latent.
        mask_BT: bool, a token.
        window: tokens on each side; 0 for the segment alone.
    """
    tokens = mask_BT.shape[1]
    steps_T = torch.arange(tokens, device=mask_BT.device)
    member_BKT = pool_BKT > 0
    first_BK = torch.where(member_BKT, steps_T, tokens).amin(-1, keepdim=True)
    last_BK = torch.where(member_BKT, steps_T, -1).amax(-1, keepdim=True)
    near_BKT = (steps_T >= first_BK - window) & (steps_T <= last_BK + window)
    return (near_BKT | (last_BK < 0)) & mask_BT[:, None, :]


def around_tokens(mask_BT: Tensor, window: int) -> Tensor:
    """Tokens that are at most `window` places away: bool [B, T, T].

    A place of padding reads itself, for the same reason.
    """
    steps_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    distance_TT = (steps_T[:, None] - steps_T).abs()
    return ((distance_TT <= window) & mask_BT[:, None, :]) | (distance_TT == 0)
