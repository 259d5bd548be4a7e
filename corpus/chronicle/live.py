"""One document by its index, for corpora without an end."""

from ..records import Document
from .generator import chronicle, known_split
from .presets import preset


def document(
    preset_name: str, split: str, seed: int, questions_per_family: int, index: int
) -> Document:
    """Document number `index` of a split and seed.

    Raises:
        CorpusError: no preset or no split has that name.
    """
    size, most = preset(preset_name), questions_per_family
    return chronicle(size, known_split(split), seed, index, questions_per_family=most).document
