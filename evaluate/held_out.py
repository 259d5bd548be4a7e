"""The documents of an evaluation: where they come from, and whether they were trained on."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import CorpusError
from ..common.record import Record
from ..corpus.chronicle import generate
from ..corpus.chronicle.generator import GENERATOR_VERSION
from ..corpus.files import Corpus, corpus_sha256, read_corpus
from ..corpus.records import Document

SPLIT = "test"
"""What is generated to evaluate on."""
TRAINED = "train"
"""The split that shares no name and no value with it."""


class Source(Record):
    """Where documents come from: enough to have them again, and to know them if met again."""

    sha256: str
    """Of their content, as `corpus.json` has it (docs/corpus_format.md)."""
    path: str | None = None
    """As it was given with `--corpus`; None for generated documents."""
    preset: str | None = None
    """Of the generator; None for documents that it did not make."""
    split: str | None = None
    """Likewise."""
    seed: int | None = None
    """Likewise."""
    generator: int | None = None
    """Version of the generator; None where the corpus does not say."""


@dataclass(frozen=True, slots=True)
class HeldOutSet:
    """Held-out documents and where they come from."""

    documents: tuple[Document, ...]
    """Those that have questions; at least two."""
    source: Source


def held_out(path: Path | None, preset: str, count: int, seed: int) -> HeldOutSet:
    """A given corpus, or generated documents of the test split where no path is given.

    Raises:
        CorpusError: unreadable, too few documents, or no questions about them.
    """
    if path is None:
        documents = tuple(generate(preset, SPLIT, count, seed))
        source = Source(
            sha256=corpus_sha256(documents),
            preset=preset,
            split=SPLIT,
            seed=seed,
            generator=GENERATOR_VERSION,
        )
    else:
        corpus = read_corpus(path)
        documents, source = corpus.documents, _source(corpus, path)
    documents = tuple(document for document in documents if document.questions)
    if len(documents) < 2:
        raise CorpusError(
            f"{path or 'the generated corpus'}: {len(documents)} documents with questions; at "
            "least 2 are needed, because one control borrows the latents of another document"
        )
    return HeldOutSet(documents, source)


def _source(corpus: Corpus, path: Path) -> Source:
    known = {name: corpus.meta.get(name) for name in ("preset", "split", "seed", "generator")}
    kinds = {"preset": str, "split": str, "seed": int, "generator": int}
    recorded = {name: value for name, value in known.items() if isinstance(value, kinds[name])}
    return Source.model_validate({"sha256": corpus.sha256, "path": str(path), **recorded})


@dataclass(frozen=True, slots=True)
class Training:
    """What a checkpoint was trained on, as far as it and its run folder tell."""

    data: tuple[Mapping[str, Any], ...]
    """The record of its documents, and before it those of the checkpoints it began from."""
    corpus: Corpus | None
    """The run's corpus, where the checkpoint is the run's own or names it."""

    @classmethod
    def of(cls, record: Mapping[str, Any], run: Path, *, own: bool) -> "Training":
        """Reads what a checkpoint records, and the corpus of the run folder.

        Args:
            record: `state.run` of the checkpoint.
            run: the run folder.
            own: whether the checkpoint was trained in this run.

        Raises:
            CorpusError: the run's corpus is damaged.
        """
        data = tuple(_lineage(record))
        folder = run / "corpus"
        if not (folder / "corpus.json").exists():
            return cls(data, None)
        corpus = read_corpus(folder)
        named = any(one.get("corpus_sha256") == corpus.sha256 for one in data)
        return cls(data, corpus if own or named else None)

    def refuse(self, held: HeldOutSet) -> None:
        """Refuses documents that the checkpoint was trained on.

        Raises:
            CorpusError: some of them were; names the first.
        """
        where = held.source.path or f"generated documents of seed {held.source.seed}"
        if any(one.get("corpus_sha256") == held.source.sha256 for one in self.data):
            raise CorpusError(
                f"{where}: the checkpoint was trained on exactly these documents; evaluate on "
                "others"
            )
        seen = self.corpus.documents if self.corpus else ()
        ids, texts = {one.document_id for one in seen}, {one.text for one in seen}
        met = [one for one in held.documents if one.document_id in ids or one.text in texts]
        if met:
            raise CorpusError(
                f"{where}: {len(met)} of {len(held.documents)} documents are in the training "
                f"corpus of the run too, by id or by text (first: {met[0].document_id!r}); "
                "evaluate on others"
            )

    def doubt(self) -> str:
        """Why it is not known to be disjoint from the test split; empty if it is."""
        for one in self.data:
            split = self._split(one)
            if split is None:
                return "which split the checkpoint was trained on is not recorded"
            if split != TRAINED:
                return f"the checkpoint was trained on the split {split!r}, not on {TRAINED!r}"
        return "" if self.data else "what the checkpoint was trained on is not recorded"

    def _split(self, data: Mapping[str, Any]) -> str | None:
        if data.get("split") is not None:
            return str(data["split"])
        if data.get("kind") == "live":  # generated on the fly, from this split only
            return TRAINED
        corpus = self.corpus
        if corpus is not None and data.get("corpus_sha256") == corpus.sha256:
            split = corpus.meta.get("split")
            return None if split is None else str(split)
        return None


def _lineage(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The `data` of a run and of those that its start came from."""
    current: object = record
    while isinstance(current, Mapping):
        data = current.get("data")
        yield data if isinstance(data, Mapping) else {}
        start = current.get("start")
        current = start.get("history") if isinstance(start, Mapping) else None


def known_names(source: Source) -> str:
    """One line where documents share names and values with what is trained on; empty if not."""
    if source.split != TRAINED:
        return ""
    return (
        f"these documents are of the split {TRAINED!r}: a training has met their names and values"
    )


def undated_in_text(documents: Iterable[Document]) -> str:
    """One line where chunks carry a day that their text does not name; empty if none do.

    The compressor gets the day of every chunk as an input, the ceiling only the text.
    """
    dated = [chunk for one in documents for chunk in one.chunks if chunk.day is not None]
    undated = [chunk for chunk in dated if not re.search(rf"(?<!\d){chunk.day}(?!\d)", chunk.text)]
    if not undated:
        return ""
    return (
        f"{len(undated)} of {len(dated)} dated chunks do not name their day in the text: the "
        "compressor gets it and the ceiling does not, so retention can flatter the latents"
    )
