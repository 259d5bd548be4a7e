"""Exact match: the scorer of every gated figure."""


def exact_match(prediction: str, expected: str) -> bool:
    """Whether two texts are equal after normalising."""
    return normalise(prediction) == normalise(expected)


def normalise(text: str) -> str:
    """Text as it is compared: single spaces, no case, no final period.

    >>> normalise("  New\\n York. ")
    'new york'
    """
    return " ".join(text.split()).removesuffix(".").rstrip().casefold()
