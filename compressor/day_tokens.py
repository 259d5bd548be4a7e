"""The day of a chunk as tokens of its own: each digit gets a place, and so may get a latent.

A text says its day in tokens before what happened on it, and a causal reader finds it there, digit
by digit. Metadata added to every token of a chunk has no such place: tens and units of a day stand
in one vector with all that the chunk says, and no latent can be spent on either.

Where they are given latents (`model.day_start`), a word goes before the digits, and each has one.
Started as tokens, all have the vectors of the reasoner's own tokens besides: so the reasoner reads
days before anything is learned.
Without the word it does not, and learned mass would take their latents away, as one of the three
says nothing without the others (docs/LOG.md, 2026-11-30).

Shapes: B = documents, T = tokens (padded), C = chunks (padded), G = digits of a day, with the word
before them if there is one, S = T + C * G, W = inner width, E = width of a latent.
"""

from typing import Final

import torch
from torch import Tensor, nn

from .states import States
from .token_sequence import Days, TokenSequence

TOKENS_PER_CHUNK: Final = 8
"""Room is made for a day in every so many tokens; where chunks are shorter throughout, the last
ones get none. A bound, so that shapes do not depend on data."""


class DayTokens(nn.Module):
    """Puts the last digits of its day before every chunk whose day is known."""

    def __init__(self, digits: int, width: int, own_width: int | None = None) -> None:
        """Random rows, as large as what tokens say; nothing of their own for the latents yet.

        Args:
            digits: the last ones of a day; further ones are left to `TimeEmbedding`.
            width: W.
            own_width: E, for a word before the digits and vectors of their own; None: neither.
        """
        super().__init__()
        self.digits, self.word = digits, own_width is not None
        rows = 10 * digits + self.word
        self.rows = nn.Embedding(rows, width)
        nn.init.normal_(self.rows.weight)
        self.own = nn.Embedding(rows, own_width) if own_width is not None else None
        if self.own is not None:
            nn.init.zeros_(self.own.weight)

    @torch.no_grad()
    def begin_as(self, word_E: Tensor, digits_XE: Tensor) -> None:
        """Give the word and every digit vectors of their own.

        Args:
            word_E: of the word.
            digits_XE: of 0 to 9.
        """
        assert self.own is not None, "only where they have vectors of their own"
        rows = [digits_XE] * self.digits + [word_E[None]]
        self.own.weight.copy_(torch.cat(rows).to(self.own.weight))

    def forward(self, x_BTW: Tensor, states: States) -> TokenSequence:
        """Tokens and digits in one sequence.

        Args:
            x_BTW: what each token says.
            states: of the documents.
        """
        first_BC, day_BC = _days(states)
        row_BCG = self._rows(day_BC)
        tokens, added = x_BTW.shape[1], row_BCG.shape[2]
        step_T = torch.arange(tokens, device=x_BTW.device)
        step_G = torch.arange(added, device=x_BTW.device)
        # Digits before their token; days that are missing have the place T, behind all padding.
        key_BT = (step_T * (added + 1) + added).expand(len(x_BTW), -1)
        key_BCG = first_BC[..., None] * (added + 1) + step_G
        order_BS = torch.cat([key_BT, key_BCG.flatten(1)], 1).argsort(dim=1, stable=True)
        where_BS = order_BS.argsort(dim=1)

        def merged(of_text: Tensor, of_digits: Tensor) -> Tensor:
            both = torch.cat(
                [of_text, of_digits.expand(row_BCG.shape + of_text.shape[2:]).flatten(1, 2)], 1
            )
            index = order_BS.view(order_BS.shape + (1,) * (both.dim() - 2))
            return both.gather(1, index.expand_as(both))

        chunk_BC = states.chunk_BT.gather(1, first_BC.clamp(max=tokens - 1))
        known_BC1 = (first_BC < tokens)[..., None]
        own_BSE = alone_BS = None
        if self.own is not None:
            own_BCGE = self.own(row_BCG)
            own_BSE = merged(own_BCGE.new_zeros(*x_BTW.shape[:2], own_BCGE.shape[-1]), own_BCGE)
            alone_BS = merged(torch.zeros_like(states.mask_BT), known_BC1)
        return TokenSequence(
            merged(x_BTW, self.rows(row_BCG).to(x_BTW.dtype)),
            merged(states.mask_BT, known_BC1),
            merged(
                step_T.expand(len(x_BTW), -1),
                (first_BC[..., None] + step_G).clamp(max=tokens - 1),
            ),
            merged(states.chunk_BT, chunk_BC[..., None]),
            where_BS[:, :tokens],
            Days(where_BS[:, tokens:].view_as(key_BCG), first_BC),
            own_BSE,
            alone_BS,
        )

    def _rows(self, day_BC: Tensor) -> Tensor:
        """Rows of the word, if there is one, and of the digits: [B, C, G]."""
        step_G = torch.arange(self.digits, device=day_BC.device)
        digit_BCG = day_BC[..., None] // 10 ** (self.digits - 1 - step_G) % 10 + 10 * step_G
        if not self.word:
            return digit_BCG
        word_BC1 = torch.full_like(day_BC, 10 * self.digits)[..., None]
        return torch.cat([word_BC1, digit_BCG], -1)


def _days(states: States) -> tuple[Tensor, Tensor]:
    """First token [B, C] and day [B, C] of every chunk with a day; T and any day elsewhere."""
    mask_BT, chunk_BT = states.mask_BT, states.chunk_BT
    documents, tokens = mask_BT.shape
    room = -(-tokens // TOKENS_PER_CHUNK)
    first_BT = mask_BT.clone()
    first_BT[:, 1:] &= chunk_BT[:, 1:] != chunk_BT[:, :-1]
    first_BT &= states.day_BT >= 0
    rank_BT = first_BT.cumsum(1) - 1
    # One column more takes what is no first token, and is thrown away.
    column_BT = torch.where(first_BT & (rank_BT < room), rank_BT, room)
    step_BT = torch.arange(tokens, device=mask_BT.device).expand(documents, -1)
    first_BC = step_BT.new_full((documents, room + 1), tokens).scatter(1, column_BT, step_BT)
    first_BC = first_BC[:, :room]
    day_BC = states.day_BT.gather(1, first_BC.clamp(max=tokens - 1)).clamp(min=0)
    return first_BC, day_BC
