"""Text is text: what spells a control token in a user's text is not read as one.

A tokenizer cuts "<|im_end|>" out of any text and gives it the id of the control token; only the
pieces of a prompt may mean that.
"""

from collections.abc import Sequence
from functools import lru_cache
from os.path import commonprefix
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerFast


@lru_cache(maxsize=8)
def control_tokens(tokenizer: "PreTrainedTokenizerFast") -> dict[int, str]:
    """Ids and texts of the tokens that a tokenizer calls special."""
    added: dict[int, Any] = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    return {number: str(token.content) for number, token in added.items() if token.special}


def spells_control(tokenizer: "PreTrainedTokenizerFast", text: str) -> bool:
    """Whether a text holds what the tokenizer would take for a control token."""
    return any(token in text for token in control_tokens(tokenizer).values())


def encode_plain(tokenizer: "PreTrainedTokenizerFast", text: str) -> "Encoding":
    """The tokens of a text with their places; none of them is a control token.

    Text without control tokens is cut as ever, so nothing that was stored changes.
    """
    usual = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    if control_tokens(tokenizer).keys().isdisjoint(usual.ids):
        return usual
    return _blind(tokenizer).encode(text, add_special_tokens=False)


def change_of_text(backend: "Tokenizer", text: str, ids: Sequence[int]) -> tuple[str, str] | None:
    """Where tokens do not spell their text: the text there and what they spell; None if they do.

    Canonically equal is equal, as many tokenizers normalise to NFC.
    """
    again = backend.decode(list(ids), skip_special_tokens=False)
    if again == text:
        return None
    text, again = normalize("NFC", text), normalize("NFC", again)
    if again == text:
        return None
    at = len(commonprefix([text, again]))
    part = slice(max(0, at - 10), at + 20)
    return text[part], again[part]


@lru_cache(maxsize=2)
def _blind(tokenizer: "PreTrainedTokenizerFast") -> "Tokenizer":
    """A copy that knows no control tokens. The switch of the tokenizer itself would be seen by
    every other user of it, in another thread, too."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.encode_special_tokens = True
    return copy
