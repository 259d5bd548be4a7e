"""The documents of an evaluation, and where they come from."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.errors import CorpusError
from ..common.record import Record
from ..corpus.beginnings import NOT_ASKED_BY_STEPS, in_steps
from ..corpus.dates import date_of
from ..corpus.files import Corpus, corpus_sha256, read_corpus
from ..corpus.generators import LAB_GENERATOR, UNRECORDED, generator
from ..corpus.outside.formats import FORMATS
from ..corpus.records import Chunk, Document

SPLIT = "test"
"""What is generated to evaluate on."""
TRAINED = "train"
"""The split that shares no name and no value with it."""
UTILISATION = "latentcomp utilisation --corpus"
"""What measures answers by likelihood."""


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
    steps: int | None = None
    """Beginnings of every document that are read in its place; None of documents as they are."""


@dataclass(frozen=True, slots=True)
class HeldOutSet:
    """Held-out documents and where they come from."""

    documents: tuple[Document, ...]
    """Those that have questions; at least two, and not all beginnings of one."""
    source: Source
    imported: str | None = None
    """The published set that they were imported from, a key of `FORMATS`; None of others."""

    @property
    def originals(self) -> int:
        """Whole documents: beginnings of one count once."""
        return len({document.original for document in self.documents})

    @property
    def world(self) -> int | None:
        """Version of the generator that made them; None of other documents."""
        older = self.source.generator is None and self.source.preset is not None
        return UNRECORDED if older else self.source.generator


def held_out(
    path: Path | None,
    preset: str,
    count: int,
    seed: int,
    version: int = LAB_GENERATOR,
    *,
    continuations: bool = False,
    steps: int | None = None,
) -> HeldOutSet:
    """A given corpus, or generated documents of the test split where no path is given.

    Args:
        path: of the corpus; what follows is for generated documents.
        preset: their size.
        count: how many, 2 or more.
        seed: of them.
        version: of the generator.
        continuations: whether continuations count as questions. No greedy answer gives one to the
            letter, so only a measure of likelihoods wants them.
        steps: beginnings of every document instead of the whole, asked what is known then.

    Raises:
        CorpusError: unreadable, no such generator or preset, too few documents, or no questions
            about them.
    """
    if path is None:
        imported: object = None
        documents = tuple(generator(version).generate(preset, SPLIT, count, seed))
        source = Source(
            sha256=corpus_sha256(documents),
            preset=preset,
            split=SPLIT,
            seed=seed,
            generator=version,
        )
    else:
        corpus = read_corpus(path)
        documents, source = corpus.documents, _source(corpus, path)
        imported = corpus.meta.get("source")
    if steps is not None:
        documents = in_steps(documents, steps)
        source = source.model_copy(update={"sha256": corpus_sha256(documents), "steps": steps})
    kept = tuple(one if continuations else _without_continuations(one) for one in documents)
    kept = tuple(document for document in kept if document.questions)
    if steps is not None and not kept:
        raise CorpusError(f"--steps {steps}: {NOT_ASKED_BY_STEPS}")
    if len({document.original for document in kept}) < 2:
        only = any(one.questions for one in documents) and not kept
        raise CorpusError(
            f"{path or 'the generated corpus'}: {_counted(kept)} with questions; at least 2 "
            "are needed, because one control borrows the latents of another document"
            + (f"; its continuations are measured by `{UTILISATION} {path}`" if only else "")
        )
    known = isinstance(imported, str) and imported in FORMATS
    return HeldOutSet(kept, source, str(imported) if known else None)


def _counted(documents: Sequence[Document]) -> str:
    if not any(document.beginning_of for document in documents):
        return f"{len(documents)} documents"
    whole = len({document.original for document in documents})
    return f"beginnings of {whole} {'document' if whole == 1 else 'documents'}"


def _without_continuations(document: Document) -> Document:
    kept = tuple(question for question in document.questions if not question.is_continuation)
    if len(kept) == len(document.questions):
        return document
    return replace(document, questions=kept)


def explored(
    path: Path | None,
    preset: str,
    split: str,
    count: int,
    seed: int,
    version: int,
    questions_per_family: int,
) -> HeldOutSet:
    """Documents to look into rather than to judge by: of any split, with many questions.

    Args:
        path: of a corpus, whose first documents are taken; the rest is for generated ones.
        preset: their size.
        split: of the generator, `validation` by default everywhere.
        count: how many, 2 or more.
        seed: of them.
        version: of the generator.
        questions_per_family: at most, about each.

    Raises:
        CorpusError: as `held_out`, or no such split.
    """
    if path is not None:
        given = held_out(path, preset, count, seed, version)
        if any(document.beginning_of for document in given.documents):
            raise CorpusError(
                f"{path}: beginnings of documents, which only `evaluate` and `utilisation` "
                "know as one document; give whole ones"
            )
        return replace(given, documents=given.documents[:count])
    live = generator(version).live(preset, split, seed, questions_per_family)
    made = (live.document(index) for index in range(count))
    documents = tuple(document for document in made if document.questions)
    if len(documents) < 2:
        raise CorpusError(
            f"{len(documents)} generated documents with questions; at least 2 are needed, because "
            "one control borrows the latents of another document; give more --documents"
        )
    sha256 = corpus_sha256(documents)
    source = Source(sha256=sha256, preset=preset, split=split, seed=seed, generator=version)
    return HeldOutSet(documents, source)


def _source(corpus: Corpus, path: Path) -> Source:
    kinds = {"preset": str, "split": str, "seed": int, "generator": int, "steps": int}
    known = {name: corpus.meta.get(name) for name in kinds}
    if known["steps"] is not None and not any(one.beginning_of for one in corpus.documents):
        raise CorpusError(
            f"{path}: a corpus by steps of a version that did not record which beginnings are of "
            "one document; write it again with `latentcomp corpus --steps`"
        )
    recorded = {name: value for name, value in known.items() if isinstance(value, kinds[name])}
    return Source.model_validate({"sha256": corpus.sha256, "path": str(path), **recorded})


def known_names(source: Source) -> str:
    """One line where documents share names and values with what is trained on; empty if not."""
    if source.split != TRAINED:
        return ""
    return (
        f"these documents are of the split {TRAINED!r}: a training has met their names and values"
    )


def scorer_note(held: HeldOutSet, scorer: str) -> str:
    """One line where answers are not counted as the questions' authors do; empty if they are."""
    wanted = scorer if held.imported is None else FORMATS[held.imported].scorer
    if wanted == scorer:
        return ""
    return (
        f"these questions are of {held.imported}, whose answers are counted by --scorer {wanted}; "
        f"here it is {scorer}, so these figures are not to be held against others on them"
    )


def undated_in_text(documents: Iterable[Document]) -> str:
    """One line where chunks carry a day that the ceiling cannot read; empty if it reads them all.

    The compressor gets the day of every chunk as an input, the ceiling only the text: the dated
    one, where there is one.
    """
    dated = [chunk for one in documents for chunk in one.chunks if chunk.day is not None]
    undated = [chunk for chunk in dated if not _names_its_day(chunk)]
    if not undated:
        return ""
    return (
        f"{len(undated)} of {len(dated)} dated chunks do not name their day in the text: the "
        "compressor gets it and the ceiling does not, so retention can flatter the latents"
    )


def _names_its_day(chunk: Chunk) -> bool:
    text = chunk.text if chunk.dated_text is None else chunk.dated_text
    return _has(text, str(chunk.day)) or _names_its_date(chunk.day or 0, text)


def _names_its_date(day: int, text: str) -> bool:
    """Whether a text has the date that a day of a corpus with dates is, in ISO or in words."""
    date = date_of(day)
    if date is None:
        return False
    parts = _has(text, f"0?{date.day}(st|nd|rd|th)?") and _has(text, str(date.year))
    return date.isoformat() in text or (parts and date.strftime("%b").lower() in text.lower())


def _has(text: str, pattern: str) -> bool:
    return bool(re.search(rf"(?<!\d){pattern}(?!\d)", text))
