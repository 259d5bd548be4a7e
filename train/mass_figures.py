"""Where learned mass goes, as figures of the training curve: an allocation that collapses shows.

Seen beforehand (docs/LOG-engineering.md): at 8x and 16x mass leaves the names, and stays away.

Shapes: B = documents, T = tokens (padded).
"""

import torch
from torch import Tensor

from ..compressor.model import Compressed
from ..models.token_kinds import KINDS, TokenKinds
from .batches import Batch


@torch.no_grad()
def mass_figures(
    compressed: Compressed, batch: Batch, kinds: TokenKinds | None
) -> dict[str, Tensor]:
    """Figures of one step, a number each; none where latents stand for equally many tokens.

    Args:
        compressed: latents of the batch, with the mass of each token.
        batch: the documents.
        kinds: of the teacher's vocabulary; None if it is not known.

    Returns:
        `mass_entropy`: entropy of the mass over the tokens of a document, in parts of that of equal
        masses, mean over documents; 1 at the start. `mass_least`: the least mass of a token, in
        parts of what equal masses would be, mean over documents. `mass_name`, `mass_number` and so
        on: mean mass of the tokens of a kind, likewise; `mass_least_kind`: the least of these.
    """
    if compressed.mass_BT is None:
        return {}
    mask_BT = batch.states.mask_BT
    tokens_B = mask_BT.sum(1)
    part_BT = compressed.mass_BT / compressed.mass_BT.sum(1, keepdim=True)
    entropy_B = torch.special.entr(part_BT).sum(1) / tokens_B.clamp(min=2).log()
    relative_BT = part_BT * tokens_B[:, None]
    least_B = relative_BT.masked_fill(~mask_BT, torch.inf).amin(1)
    made = {"mass_entropy": entropy_B.mean(), "mass_least": least_B.mean()}
    if kinds is not None:
        made |= _by_kind(relative_BT, mask_BT, kinds.kinds(batch.token_ids_BT))
    return made


def _by_kind(relative_BT: Tensor, mask_BT: Tensor, kind_BT: Tensor) -> dict[str, Tensor]:
    """Mean over the tokens of each kind; NaN where the batch has none."""
    of_kind = {name: mask_BT & (kind_BT == index) for index, name in enumerate(KINDS)}
    means = {f"mass_{name}": (relative_BT * own).sum() / own.sum() for name, own in of_kind.items()}
    least = torch.stack(list(means.values())).nan_to_num(torch.inf).amin()
    return means | {"mass_least_kind": least}
