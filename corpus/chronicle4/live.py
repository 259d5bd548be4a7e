"""One document by its index, for corpora without an end."""

from ..records import Document
from .chronicle import chronicle, known_split, lesson
from .presets import preset
from .records import recorded


def document(
    preset_name: str, split: str, seed: int, questions_per_family: int, index: int
) -> Document:
    """Document number `index` of a split and seed, with what is known of its questions.

    Raises:
        CorpusError: no preset or no split has that name.
    """
    size, most = preset(preset_name), questions_per_family
    return recorded(chronicle(size, known_split(split), seed, index, questions_per_family=most))


def training_document(
    preset_name: str, split: str, seed: int, questions_per_family: int, index: int
) -> Document:
    """The same text and questions, without what is known of these: quicker to make.

    Raises:
        CorpusError: as `document`.
    """
    return lesson(preset(preset_name), known_split(split), seed, index, questions_per_family)
