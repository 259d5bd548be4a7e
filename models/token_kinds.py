"""What kind of word each token belongs to: a diagnostic of where a compressor looks.

Told from the letters alone, without any knowledge of the corpus, so that it serves any document.

Shapes: B = documents, T = tokens (padded), V = vocabulary.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from ..store.format.schema import ModelIdentity

if TYPE_CHECKING:
    from .loading import CausalLM, TextSide

KINDS: Final = ("name", "number", "word", "mark")
"""A name is a capitalised word that does not begin a sentence; a mark is whatever has neither
letters nor digits alone."""
_NAME, _NUMBER, _WORD, _MARK = range(len(KINDS))
_SPACE = "\u0120\u2581"
"""How byte-level and sentencepiece vocabularies write the space before a word."""
_ENDS = ".!?\n\u010a"
"""What ends a sentence; the last is a line break in byte-level vocabularies."""


@dataclass(frozen=True, eq=False, slots=True)
class TokenKinds:
    """What the tokens of a vocabulary are made of, one row a token: bool [V]."""

    letters_V: Tensor
    digits_V: Tensor
    upper_V: Tensor
    """Whether the first letter is a capital."""
    spaced_V: Tensor
    """Whether it begins with a space, hence a word."""
    ends_V: Tensor
    """Whether it ends a sentence."""

    @classmethod
    def of_teacher(cls, teacher: ModelIdentity, lm: "CausalLM") -> "TokenKinds | None":
        """Of a teacher whose tokenizer `lm` shares, on its device; None where it does not."""
        same = teacher.tokenizer_sha256 == lm.identity.tokenizer_sha256
        return cls.of(lm).to(lm.device) if same else None

    @classmethod
    def of(cls, text_side: "TextSide") -> "TokenKinds":
        """Of the tokenizer of a model."""
        ids = list(range(len(text_side.tokenizer)))
        pieces = [piece or "" for piece in text_side.tokenizer.convert_ids_to_tokens(ids)]
        bare = [piece.lstrip(_SPACE) for piece in pieces]

        def rows(values: list[bool]) -> Tensor:
            return torch.tensor(values, dtype=torch.bool)

        return cls(
            letters_V=rows([piece.isalpha() for piece in bare]),
            digits_V=rows([piece.isdigit() for piece in bare]),
            upper_V=rows([piece[:1].isupper() for piece in bare]),
            spaced_V=rows([piece[:1] in tuple(_SPACE) for piece in pieces]),
            ends_V=rows([bool(piece) and piece[-1] in _ENDS for piece in bare]),
        )

    def to(self, device: torch.device) -> "TokenKinds":
        """The same on a device."""
        return TokenKinds(
            self.letters_V.to(device),
            self.digits_V.to(device),
            self.upper_V.to(device),
            self.spaced_V.to(device),
            self.ends_V.to(device),
        )

    def kinds(self, ids_BT: Tensor) -> Tensor:
        """Index into `KINDS` of every token, int64 [B, T]: parts of a word are of its kind."""
        letters, before = self.letters_V[ids_BT], _shifted(self.letters_V[ids_BT], False)
        begins = letters & (self.spaced_V[ids_BT] | ~before)
        name = self.upper_V[ids_BT] & ~_shifted(self.ends_V[ids_BT], True)
        steps_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        first_BT = torch.where(begins, steps_T, 0).cummax(1).values
        in_name = name.gather(1, first_BT)
        other = torch.where(self.digits_V[ids_BT], _NUMBER, _MARK)
        return torch.where(letters, torch.where(in_name, _NAME, _WORD), other)


def _shifted(x_BT: Tensor, first: bool) -> Tensor:
    """What the token before has; the first one has `first`."""
    head = torch.full_like(x_BT[:, :1], first)
    return torch.cat([head, x_BT[:, :-1]], 1)
