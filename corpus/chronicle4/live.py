"""An endless corpus: every document is generated from its index, none is stored."""

from dataclasses import dataclass

from ...common.errors import CorpusError
from ..records import Document
from .chronicle import chronicle
from .presets import Preset, preset
from .records import recorded
from .strings import SPLITS, Split


@dataclass(frozen=True, slots=True)
class LiveCorpus:
    """Documents of an endless corpus, by index; picklable, for data-loading workers."""

    size: Preset
    split: Split
    seed: int
    questions_per_family: int
    """At most this many questions of each family."""

    def document(self, index: int) -> Document:
        """Document number `index`, 0 or more."""
        most = self.questions_per_family
        return recorded(
            chronicle(self.size, self.split, self.seed, index, questions_per_family=most)
        )


def training_corpus(preset_name: str, seed: int, questions_per_family: int) -> LiveCorpus:
    """The documents of the split `train`.

    Raises:
        CorpusError: no preset has that name.
    """
    return split_corpus(preset_name, "train", seed, questions_per_family)


def split_corpus(preset_name: str, split: str, seed: int, questions_per_family: int) -> LiveCorpus:
    """The documents of a split.

    Raises:
        CorpusError: no preset or no split has that name.
    """
    chosen = next((name for name in SPLITS if name == split), None)
    if chosen is None:
        raise CorpusError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    return LiveCorpus(preset(preset_name), chosen, seed, questions_per_family)
