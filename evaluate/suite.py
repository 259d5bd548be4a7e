"""Every arm of one checkpoint on the same questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..corpus.records import Document
from .answers import answer_questions
from .arms.latents import BYTES_PER_NUMBER, CompressedDocuments, compress_documents
from .arms.table import select_arms
from .bench import ArmInputs, Bench
from .ranking import RankedQuestion, rank
from .scores import ScoredAnswer
from .sizes import Sizes

Progress = Callable[[str, int], None]
"""Receives the name of an arm (or `states`) and the number of its documents just finished."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every answer of an evaluation, and what the documents amount to."""

    rows: list[ScoredAnswer]
    sizes: Sizes
    ranked: tuple[RankedQuestion, ...] = ()
    """Candidates of every arm, where they were ranked."""


def run_arms(bench: Bench, documents: Sequence[Document], seed: int, progress: Progress) -> Outcome:
    """Ask every question once an arm.

    Args:
        bench: what is measured, and which optional arms besides.
        documents: held out; at least two, because shuffling borrows from another one.
        seed: of the shuffle and of the random latents.
        progress: receives the arm and the documents just finished.

    Raises:
        LatentcompError: a requested arm does not exist.
    """
    documents = tuple(documents)
    arms = select_arms(bench.arms, documents)
    compressed = compress_documents(bench, documents, partial(progress, "states"))
    inputs = ArmInputs(bench, documents, compressed.prefixes, seed)
    rows: list[ScoredAnswer] = []
    ranked: list[RankedQuestion] = []
    vectors: dict[str, int] = {}
    for arm in arms:
        answers = answer_questions(
            bench.reasoner,
            documents,
            prefixes := arm.make(inputs),
            arm.name,
            batch_size=bench.batch_size,
            scorer=bench.scorer,
            progress=partial(progress, arm.name),
        )
        rows += answers.rows
        vectors[arm.name] = answers.vectors
        if bench.rank:
            ranked += rank(
                bench.reasoner,
                documents,
                prefixes,
                arm.name,
                batch_size=bench.batch_size,
                progress=partial(progress, f"{arm.name} rank"),
            )
    return Outcome(rows, _sizes(bench, documents, compressed, vectors), tuple(ranked))


def _sizes(
    bench: Bench,
    documents: Sequence[Document],
    compressed: CompressedDocuments,
    vectors: dict[str, int],
) -> Sizes:
    spec = bench.model.spec
    state_numbers = len(spec.layers) * spec.teacher.hidden_size
    return Sizes(
        tokens=compressed.tokens,
        latents=compressed.latents,
        latent_bytes=compressed.latents * spec.latent_width * BYTES_PER_NUMBER,
        state_bytes=compressed.tokens * state_numbers * BYTES_PER_NUMBER,
        text_bytes=sum(len(document.text.encode()) for document in documents),
        vectors=vectors,
    )
