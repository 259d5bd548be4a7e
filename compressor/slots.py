"""Concatenated pooling: the parts of a segment side by side, where their mean mixes them up.

Concatenating the tokens of a segment is best at 4x, their mean at 16x (LCLM, arXiv 2606.09659).
A segment is cut into a fixed number of slots, by the rule that cuts the document into segments.
With as many slots as tokens, each slot is one token; with more tokens it is the mean of a few, as
leaving tokens out would lose their values; with fewer some slots are empty.

Shapes: B = documents, T = tokens (padded), K = latents (padded), S = K times the slots of each,
C = width of a token, E = width of what is made.
"""

import torch
from torch import Tensor, nn


class SlotConcat(nn.Module):
    """Slots of each segment through one linear map, which starts at zero: added to a mean."""

    def __init__(self, slots: int, width: int, made: int) -> None:
        """Zero weights.

        Args:
            slots: of each latent.
            width: C.
            made: E.
        """
        super().__init__()
        self.map = nn.Linear(slots * (width + 1), made, bias=False)
        nn.init.zeros_(self.map.weight)

    def forward(self, x_BTC: Tensor, slots_BST: Tensor) -> Tensor:
        """[B, K, E]; an empty slot is zeros, and a bit of each slot says whether it is."""
        x_BSC = slots_BST.to(x_BTC) @ x_BTC
        present_BS = slots_BST.sum(-1, keepdim=True).to(x_BTC) > 0
        slots = torch.cat([x_BSC, present_BS.to(x_BSC)], -1)
        rows = slots.reshape(len(slots), -1, self.map.in_features)
        made: Tensor = self.map(rows)
        return made
