"""One document from a seed: world, words, questions, and where their answers stand."""

import math
import random
from collections.abc import Iterator

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
    rng = random.Random(f"chronicle/{GENERATOR_VERSION}/{size.name}/{split}/{seed}/{index}")
    if chunks is None:
        low, high = size.chunks
        chunks = math.floor(math.exp(rng.uniform(math.log(low), math.log(high + 1))))
    world = simulate(rng, size, split, min(chunks, size.chunks[1]))
    prose = write(rng, world, split)
    most = size.questions_per_family if questions_per_family is None else questions_per_family
    asker = Asker(world, prose, size, split, f"{split}-{seed}-{index:06d}")
    pairs = asker.ask(rng, len(world.days) - 1, most)
    asked = tuple(each for _, each in pairs)
    document = Document(
        document_id=asker.document_id,
        chunks=tuple(
            Chunk(position, text, day)
            for position, (text, day) in enumerate(zip(prose.texts(), world.days, strict=True))
        ),
        questions=tuple(each.question for each in asked),
        summary=notes(asker.views(len(world.days) - 1)[0]),
    )
    queries = tuple(query for query, _ in pairs)
    dated = prose.texts(dated=True)
    return Chronicle(size.name, split, document, dated, asked, queries, prose, world)


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
        view, hindsight = self.views(upto)
        tried = days_without_metadata(self.world, upto, *self.size.days)
        others = [View(self.world, upto, days=days) for days in tried]
        found: list[tuple[Query, Asked]] = []
        texts: dict[str, None] = {}
        for family in FAMILIES.values():
            for query, finding in pick(family, view, hindsight, rng, most):
                text, wording = ask(query, rng, self.split)
                if text in texts:
                    continue
                texts[text] = None
                number = first + len(found)
                found.append(
                    (
                        query,
                        self._asked(family, query, finding, upto, (text, wording), number, others),
                    )
                )
        return found

    def _asked(
        self,
        family: Family,
        query: Query,
        finding: Finding,
        upto: int,
        words: tuple[str, str],
        number: int,
        others: list[View],
    ) -> Asked:
        acts = closure(finding.acts, self._refers)
        spans = tuple(Span(*span) for span in sorted(self._spans[act] for act in acts))
        evidence = tuple(dict.fromkeys(span.chunk for span in spans))
        question = Question(
            question_id=f"{self.document_id}/{number:03d}",
            family=family.name,
            text=words[0],
            answer=finding.answer,
            stale_answers=finding.stale,
            evidence=evidence,
            bucket=bucket_of(evidence[-1], len(self.world.days)),
        )
        return Asked(
            question=question,
            form=form_of(query),
            spans=spans,
            needs_days=needs_days(query, finding.answer, others),
            asked_after=holds_from(query, finding.answer, upto, self.turns(query), self.views),
            held_out=family.held_out,
            wording=words[1],
            statements=tuple(self._wordings[act] for act in acts),
            hops=len(query.hops),
            mistakes=of_query(self.views(upto)[0], query, finding.answer),
        )


def chronicles(preset_name: str, split: str, documents: int, seed: int) -> Iterator[Chronicle]:
    """Documents of a corpus, one by one; number i depends on nothing but i.

    Raises:
        CorpusError: unknown preset or split, fewer than one document, or a negative seed.
    """
    size = preset(preset_name)
    chosen = next((name for name in SPLITS if name == split), None)
    if chosen is None:
        raise problem(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
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
