"""One document from a seed: world, words, questions, and where their answers stand."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from ..records import CHUNK_SEPARATOR
from .asking import ask
from .confusions import of_query
from .evidence import chunks_about, closure, holds_from, needs_days
from .facts import Asked, Chronicle, Chunk, Document, Question, Span, bucket_of
from .families import FAMILIES, Family, pick
from .notes import notes
from .presets import Preset, preset
from .problems import problem
from .prose import Prose, write
from .queries import Finding, Query, form_of
from .records import recorded
from .simulate import simulate
from .strings import SPLITS, Split
from .view import View, days_without_metadata
from .world import World

GENERATOR_VERSION = 4
"""Raised whenever the same seed would give another text."""


@dataclass(frozen=True, slots=True)
class Told:
    """A world in words, before any question is asked of it."""

    asker: "Asker"
    prose: Prose
    upto: int
    """Last chunk that is read."""

    @property
    def view(self) -> View:
        """What holds after that chunk, as written."""
        return self.asker.views(self.upto)[0]

    def drafts(self, rng: random.Random, most: int) -> "list[Draft]":
        """Questions to ask after that chunk."""
        return self.asker.drafts(rng, self.upto, most)

    def other_views(self) -> list[View]:
        """The world after that chunk under other days that the text allows."""
        return self.asker.other_views(self.upto)

    def chunks(self) -> tuple[Chunk, ...]:
        """All chunks, as they ship."""
        texts, days = self.prose.texts(), self.asker.world.days
        return tuple(Chunk(at, *each) for at, each in enumerate(zip(texts, days, strict=True)))

    def text(self, *, dated: bool = False) -> str:
        """What is read; with the day of every chunk written in if `dated`."""
        return CHUNK_SEPARATOR.join(self.prose.texts(dated=dated)[: self.upto + 1])


def tell(size: Preset, split: Split, seed: int, index: int, *, chunks: int | None = None) -> Told:
    """World and words of document number `index`; see `chronicle`."""
    return _tell(_draws(size, split, seed, index), size, split, seed, index, chunks)


def chronicle(
    size: Preset,
    split: Split,
    seed: int,
    index: int,
    *,
    chunks: int | None = None,
    questions_per_family: int | None = None,
) -> Chronicle:
    """Document number `index` of a split and seed; the same arguments give the same text.

    Args:
        size: how large the world is.
        split: whose names, values and wordings are used.
        seed: of the whole corpus.
        index: position in the corpus, from 0.
        chunks: number of chunks; drawn log-uniformly from the preset when None.
        questions_per_family: overrides the preset's.
    """
    rng = _draws(size, split, seed, index)
    told = _tell(rng, size, split, seed, index, chunks)
    most = size.questions_per_family if questions_per_family is None else questions_per_family
    pairs = told.asker.ask(rng, told.upto, most)
    asked = tuple(each for _, each in pairs)
    document = Document(
        document_id=told.asker.document_id,
        chunks=told.chunks(),
        questions=tuple(each.question for each in asked),
        summary=notes(told.view),
    )
    queries = tuple(query for query, _ in pairs)
    dated = told.prose.texts(dated=True)
    return Chronicle(
        size.name, split, document, dated, asked, queries, told.prose, told.asker.world
    )


def lesson(size: Preset, split: Split, seed: int, index: int, most: int) -> Document:
    """The document of `chronicle` for who learns from it: without what an evaluation sorts by.

    Same text, questions, answers and evidence; no summary, no days written in, and of questions
    neither whether they need days, nor since when the answer holds, nor what mistakes it has.

    Args:
        size, split, seed, index: as `chronicle` has them.
        most: questions of each family.
    """
    rng = _draws(size, split, seed, index)
    told = _tell(rng, size, split, seed, index, None)
    drafts = told.asker.drafts(rng, told.upto, most)
    questions = tuple(told.asker.question(*each, trains=True) for each in enumerate(drafts))
    return Document(told.asker.document_id, told.chunks(), questions)


def _draws(size: Preset, split: Split, seed: int, index: int) -> random.Random:
    return random.Random(f"chronicle/{GENERATOR_VERSION}/{size.name}/{split}/{seed}/{index}")


def _tell(
    rng: random.Random, size: Preset, split: Split, seed: int, index: int, chunks: int | None
) -> Told:
    if chunks is None:
        low, high = size.chunks
        chunks = math.floor(math.exp(rng.uniform(math.log(low), math.log(high + 1))))
    world = simulate(rng, size, split, min(chunks, size.chunks[1]))
    prose = write(rng, world, split)
    asker = Asker(world, prose, size, split, f"{split}-{seed}-{index:06d}")
    return Told(asker, prose, len(world.days) - 1)


def ask_midway(each: Chronicle, chunk: int, most: int = 1) -> tuple[Asked, ...]:
    """Questions for who has read a document up to a chunk; their answers are those of then.

    Later chunks may replace them: the same question at the end can have another answer.

    Args:
        each: the document.
        chunk: last chunk that was read.
        most: questions of each family.
    """
    name = f"{each.document.document_id}/after-{chunk:03d}"
    asker = Asker(each.world, each.prose, preset(each.preset), each.split, name)
    pairs = asker.ask(random.Random(f"midway/{GENERATOR_VERSION}/{name}"), chunk, most)
    return tuple(asked for _, asked in pairs)


@dataclass(frozen=True, slots=True)
class Draft:
    """A question and its answer, before it is looked up where the answer stands."""

    family: Family
    query: Query
    finding: Finding
    text: str
    wording: str
    """Id of the question's wording."""


class Asker:
    """Asks about one world, after its last chunk or in the middle."""

    def __init__(
        self, world: World, prose: Prose, size: Preset, split: Split, document_id: str
    ) -> None:
        self.world = world
        self.size = size
        self.split = split
        self.document_id = document_id
        self._spans = prose.spans()
        self._refers = prose.refers()
        self._wordings = {s.act: s.wording for body in prose.sentences for s in body}
        self._turns: dict[str, set[int]] = {}
        self._corrected = any(act.kind == "correction" for act in world.acts)
        self._views: dict[int, tuple[View, View]] = {}

    def views(self, upto: int) -> tuple[View, View]:
        """The world as written and in hindsight, for who has read up to a chunk."""
        if upto not in self._views:
            view = View(self.world, upto)
            # Without a correction there is but one reading.
            other = View(self.world, upto, hindsight=True) if self._corrected else view
            self._views[upto] = (view, other)
        return self._views[upto]

    def other_views(self, upto: int) -> list[View]:
        """The world under other days that the text allows; empty where it tells all of them."""
        tried = days_without_metadata(self.world, upto, *self.size.days)
        return [View(self.world, upto, days=days) for days in tried]

    def turns(self, query: Query) -> set[int]:
        """Chunks that can change the answer to a query."""
        if query.attribute not in self._turns:
            self._turns[query.attribute] = chunks_about(self.world, query.attribute)
        found = self._turns[query.attribute]
        if query.day is None:
            return found
        reached = (chunk for chunk, day in enumerate(self.world.days) if day >= query.day)
        return found | {next(reached, 0)}

    def ask(
        self, rng: random.Random, upto: int, most: int, *, first: int = 0
    ) -> list[tuple[Query, Asked]]:
        """Questions to ask after chunk `upto`, at most `most` of each family.

        Args:
            rng: what is asked, and in which words.
            upto: last chunk that was read; answers are those of then.
            most: of each family.
            first: number of the first question, for ids.
        """
        others = self.other_views(upto)
        return [
            (draft.query, self._asked(draft, upto, first + number, others))
            for number, draft in enumerate(self.drafts(rng, upto, most))
        ]

    def drafts(self, rng: random.Random, upto: int, most: int) -> list[Draft]:
        """The same questions without what takes long to know of them."""
        view, hindsight = self.views(upto)
        found: dict[str, Draft] = {}
        for family in FAMILIES.values():
            for query, finding in pick(family, view, hindsight, rng, most):
                text, wording = ask(query, rng, self.split)
                found.setdefault(text, Draft(family, query, finding, text, wording))
        return list(found.values())

    def question(self, number: int, draft: Draft, *, trains: bool = False) -> Question:
        """A draft as a question of this document, with the chunks that settle it."""
        spans = self._spans_of(closure(draft.finding.acts, self._refers))
        evidence = tuple(dict.fromkeys(chunk for chunk, _, _ in spans))
        return Question(
            question_id=f"{self.document_id}/{number:03d}",
            family=draft.family.name,
            text=draft.text,
            answer=draft.finding.answer,
            stale_answers=draft.finding.stale,
            evidence=evidence,
            bucket=bucket_of(evidence[-1], len(self.world.days)),
            held_out=trains and draft.family.held_out,
        )

    def _spans_of(self, acts: tuple[int, ...]) -> list[tuple[int, int, int]]:
        return sorted(self._spans[act] for act in acts)

    def _asked(self, draft: Draft, upto: int, number: int, others: list[View]) -> Asked:
        query, finding = draft.query, draft.finding
        acts = closure(finding.acts, self._refers)
        return Asked(
            question=self.question(number, draft),
            form=form_of(query),
            spans=tuple(Span(*span) for span in self._spans_of(acts)),
            needs_days=needs_days(query, finding.answer, others),
            asked_after=holds_from(query, finding.answer, upto, self.turns(query), self.views),
            held_out=draft.family.held_out,
            wording=draft.wording,
            statements=tuple(self._wordings[act] for act in acts),
            hops=len(query.hops),
            mistakes=of_query(self.views(upto)[0], query, finding.answer),
        )


def known_split(name: str) -> Split:
    """A split by its name.

    Raises:
        CorpusError: there is none of that name.
    """
    for split in SPLITS:
        if split == name:
            return split
    raise problem(f"unknown split {name!r}: choose one of {', '.join(SPLITS)}")


def chronicles(preset_name: str, split: str, documents: int, seed: int) -> Iterator[Chronicle]:
    """Documents of a corpus, one by one; number i depends on nothing but i.

    Raises:
        CorpusError: unknown preset or split, fewer than one document, or a negative seed.
    """
    size, chosen = preset(preset_name), known_split(split)
    if documents < 1:
        raise problem(f"a corpus of {documents} documents: ask for at least 1")
    if seed < 0:
        raise problem(f"seed {seed} is negative: give a number from 0 up")
    return (chronicle(size, chosen, seed, index) for index in range(documents))


def generate(preset_name: str, split: str, documents: int, seed: int) -> Iterator[Document]:
    """The documents of `chronicles`, with what is known of their questions.

    Raises:
        CorpusError: as `chronicles`.
    """
    return (recorded(each) for each in chronicles(preset_name, split, documents, seed))
