"""Scorers for free text, as published evaluations have them; gates know exact match alone.

Texts are normalised as in SQuAD (Rajpurkar et al., 2016): no case, punctuation or articles, single
spaces.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable
from typing import Final

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def squad_words(text: str) -> list[str]:
    """The words of a text that count.

    >>> squad_words("The  Duke of Normandy!")
    ['duke', 'of', 'normandy']
    """
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def squad_match(prediction: str, expected: str) -> bool:
    """Whether two texts are equal after normalising as in SQuAD."""
    return squad_words(prediction) == squad_words(expected)


def contains(prediction: str, expected: str) -> bool:
    """Whether the expected words stand in the prediction, in a row; never those of nothing."""
    predicted, wanted = squad_words(prediction), squad_words(expected)
    starts = range(len(predicted) - len(wanted) + 1)
    return bool(wanted) and any(predicted[i : i + len(wanted)] == wanted for i in starts)


def choice(prediction: str, expected: str) -> bool:
    """Whether the first word is the expected letter or number of a multiple choice.

    >>> choice("(B) because of the rain", "b")
    True
    """
    predicted, wanted = re.findall(r"\w+", prediction.lower()), re.findall(r"\w+", expected.lower())
    return bool(wanted) and predicted[:1] == wanted[:1]


def token_f1(prediction: str, expected: Iterable[str]) -> float:
    """The best F1 of the words in common with any expected answer, 0 to 1 (as in SQuAD).

    Two texts without any word are equal: 1.
    """
    return max((_f1(squad_words(prediction), squad_words(each)) for each in expected), default=0.0)


def _f1(predicted: list[str], wanted: list[str]) -> float:
    if not predicted or not wanted:
        return float(predicted == wanted)
    common = sum((Counter(predicted) & Counter(wanted)).values())
    return 2 * common / (len(predicted) + len(wanted))
