"""What latents are made of, in order: tokens of the text, digits of days, latents of a memory.

Shapes: B = documents, T = tokens (padded), C = chunks (padded), G = digits of a day, with the word
before them if there is one, M = latents of a memory (padded), S = all of these, K = new latents
(padded), W = inner width, E = width of a latent.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .memory import Memory


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Tokens of documents with digits of days among them, in order, padding last."""

    x_BSW: Tensor
    mask_BS: Tensor
    """bool: a token or a digit, not padding."""
    position_BS: Tensor
    """int64: place in the document, in tokens of the text; digits count on from their chunk's
    first token, and take no places from the text."""
    chunk_BS: Tensor
    """int64: chunk that it is of."""
    token_BT: Tensor | None = None
    """int64: where in S each token of the text is; None where there is nothing else."""
    days: "Days | None" = None
    """Where the digits went; None where there are none."""
    own_BSE: Tensor | None = None
    """What digits, and latents of a memory, add to the latents that stand for them, as the rows of
    teacher states do for tokens of the text; None where there is nothing of the kind."""
    alone_BS: Tensor | None = None
    """bool: a digit that is given a latent; None where digits have to earn theirs."""

    def of_text(self, values: Tensor) -> Tensor:
        """What tokens of the text have: [B, T] of [B, S], or [B, K, T] of [B, K, S]."""
        if self.token_BT is None:
            return values
        index = self.token_BT if values.ndim == 2 else self.token_BT[:, None]
        return values.gather(-1, index.expand(*values.shape[:-1], -1))

    def behind(self, memory: Memory, x_BMW: Tensor) -> "TokenSequence":
        """The same behind the latents of a memory, which stand for themselves; padding last.

        Args:
            memory: of the same documents.
            x_BMW: what each of its latents says.
        """
        room, device = memory.mask_BK.shape[1], x_BMW.device
        order_BS = torch.cat([~memory.mask_BK, ~self.mask_BS], 1).argsort(dim=1, stable=True)

        def joined(of_memory: Tensor, of_text: Tensor) -> Tensor:
            both = torch.cat([of_memory.to(of_text.dtype), of_text], 1)
            return both.gather(
                1, order_BS.view(*order_BS.shape, *[1] * (both.ndim - 2)).expand_as(both)
            )

        own_BSE = self.own_BSE
        if own_BSE is None:
            own_BSE = memory.z_BKE.new_zeros(*self.mask_BS.shape, memory.z_BKE.shape[-1])
        alone_BS = self.alone_BS
        if alone_BS is not None:
            alone_BS = joined(torch.zeros_like(memory.mask_BK), alone_BS)
        token_BT = self.token_BT
        if token_BT is None:
            token_BT = torch.arange(self.mask_BS.shape[1], device=device).expand_as(self.mask_BS)
        return TokenSequence(
            joined(x_BMW, self.x_BSW),
            joined(memory.mask_BK, self.mask_BS),
            joined(memory.position_BK.long(), self.position_BS + memory.start_B[:, None]),
            joined(torch.full_like(memory.mask_BK, -1, dtype=torch.int64), self.chunk_BS),
            order_BS.argsort(dim=1).gather(1, room + token_BT),
            own_BSE=joined(memory.z_BKE, own_BSE),
            alone_BS=alone_BS,
        )

    def folded(self, mass_BS: Tensor) -> Tensor:
        """Mass of the text's tokens, that of digits counted to their chunk's first token: [B, T].

        So masses of a document add up to the same, and say where in the text its latents are.
        """
        if self.days is None:
            return mass_BS
        digit_BCG = self.days.digit_BCG
        mass_BC = mass_BS.gather(1, digit_BCG.flatten(1)).view(digit_BCG.shape).sum(-1)
        room = nn.functional.pad(self.of_text(mass_BS), (0, 1))
        return room.scatter_add(1, self.days.first_BC, mass_BC)[:, :-1]


@dataclass(frozen=True, slots=True)
class Days:
    """Places of digits in a sequence of tokens and digits."""

    digit_BCG: Tensor
    """int64: where in S each digit is."""
    first_BC: Tensor
    """int64: first token of the chunk of each day; T where there is no day."""


def as_sequence(x_BTW: Tensor, mask_BT: Tensor, chunk_BT: Tensor) -> TokenSequence:
    """Tokens alone."""
    step_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    return TokenSequence(x_BTW, mask_BT, step_T.expand(len(mask_BT), -1), chunk_BT)
