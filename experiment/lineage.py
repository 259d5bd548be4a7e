"""What a trial was trained on, and why figures of it may not be judged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import CorpusError
from ..corpus.files import Corpus, read_corpus
from ..corpus.generators import UNRECORDED
from ..corpus.records import Document
from ..evaluate.held_out import TRAINED, Source
from ..train.record import TrialRecord


@dataclass(frozen=True, slots=True)
class Lineage:
    """The documents behind some weights, as far as their records and the run's corpus say."""

    data: tuple[dict[str, Any], ...]
    """Of the trial and of those that its weights came from, the newest first."""
    corpus: Corpus | None
    """The run's corpus, where the weights are the run's own or name it."""

    @classmethod
    def of(cls, record: TrialRecord, corpus: Path, *, own: bool) -> "Lineage":
        """Reads the records of a trial, and the corpus of its run.

        Args:
            record: of the trial.
            corpus: folder of the run's corpus; it may be missing.
            own: whether the trial was trained in this run.

        Raises:
            CorpusError: the run's corpus is damaged.
        """
        data = tuple(each.data for each in record.lineage())
        if not (corpus / "corpus.json").exists():
            return cls(data, None)
        held = read_corpus(corpus)
        named = any(each.get("corpus_sha256") == held.sha256 for each in data)
        return cls(data, held if own or named else None)

    def refuse(self, documents: Sequence[Document], source: Source) -> None:
        """Refuses documents that the weights were trained on.

        Raises:
            CorpusError: some of them were; names the first.
        """
        where = source.path or f"generated documents of seed {source.seed}"
        if any(each.get("corpus_sha256") == source.sha256 for each in self.data):
            raise CorpusError(
                f"{where}: the checkpoint was trained on exactly these documents; evaluate on "
                "others"
            )
        met = _Met(self.corpus.documents if self.corpus else ())
        shared = [each for each in documents if met.has(each)]
        if shared:
            raise CorpusError(
                f"{where}: {len(shared)} of {len(documents)} documents are in the training "
                f"corpus of the run too, by id or by most of their text (first: "
                f"{shared[0].document_id!r}); evaluate on others"
            )

    def doubt(self, source: Source) -> str:
        """Why figures on these documents are not those of an unseen part of the trained world.

        The split must be known and another one, the generator the same; empty if it is so.
        """
        wanted = UNRECORDED if source.generator is None else source.generator
        for each in self.data:
            trained = self._generator(each)
            if source.path is None and trained not in (None, wanted):
                return (
                    f"the checkpoint was trained on documents of generator {trained}, "
                    f"these are of generator {wanted}"
                )
            split = self._split(each)
            if split is None:
                return "which split the checkpoint was trained on is not recorded"
            if split != TRAINED:
                return f"the checkpoint was trained on the split {split!r}, not on {TRAINED!r}"
        return "" if self.data else "what the checkpoint was trained on is not recorded"

    def _generator(self, data: dict[str, Any]) -> int | None:
        """Version of the generator of some training documents; None where it is not known."""
        if "generator" in data or data.get("kind") == "live":
            version = data.get("generator")
        elif (corpus := self.corpus) is not None and data.get("corpus_sha256") == corpus.sha256:
            version = corpus.meta.get("generator", UNRECORDED if "preset" in corpus.meta else None)
        else:
            version = None
        return version if isinstance(version, int) else None

    def _split(self, data: dict[str, Any]) -> str | None:
        if data.get("split") is not None:
            return str(data["split"])
        if data.get("kind") == "live":  # generated on the fly, from this split only
            return TRAINED
        corpus = self.corpus
        if corpus is not None and data.get("corpus_sha256") == corpus.sha256:
            split = corpus.meta.get("split")
            return None if split is None else str(split)
        return None


class _Met:
    """Documents that a training met: by id, and by what they say whatever they are called."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._ids = {each.document_id for each in documents}
        self._chunks = {hash(_words(chunk.text)) for each in documents for chunk in each.chunks}

    def has(self, document: Document) -> bool:
        """Whether its id is known, or half of its words stand in chunks that are."""
        if document.document_id in self._ids:
            return True
        chunks = [_words(chunk.text) for chunk in document.chunks]
        known = sum(len(words) for words in chunks if words and hash(words) in self._chunks)
        return 2 * known >= sum(map(len, chunks)) > 0


def _words(text: str) -> tuple[str, ...]:
    """Words of a text in lower case: blanks, line ends and punctuation make no other text."""
    return tuple(re.findall(r"\w+", text.lower()))
