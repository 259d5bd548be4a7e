"""Identity start: every branch adds nothing at first, so what begins is what the residuals carry.

The start that Still (arXiv 2606.07878) found necessary for a frozen reader: latents begin as means
of states, and no random branch has to be unlearned. Beside a mean-pool residual the first step
trains the map to the latents alone, the second the last map of each branch, the third all of it.
"""

from torch import nn

from .attention import Attention, GatedMLP
from .mixing import NeighbourConvolution


def begin_as_identity(module: nn.Module) -> None:
    """Set the last map of every attention, convolution and MLP inside to zero."""
    for part in module.modules():
        if isinstance(part, Attention | NeighbourConvolution):
            nn.init.zeros_(part.out.weight)
        elif isinstance(part, GatedMLP):
            nn.init.zeros_(part.down.weight)
