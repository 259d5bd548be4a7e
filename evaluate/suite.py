"""Every arm of one checkpoint on the same questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from ..corpus.records import Document
from .answers import ArmAnswers, answer_questions
from .arms.latents import BYTES_PER_NUMBER, CompressedDocuments, compress_documents
from .arms.table import WHOLE_ARMS, Arm, select_arms
from .bench import ArmInputs, Bench
from .ranking import RankedQuestion, rank
from .scores import ScoredAnswer
from .sizes import Sizes

Progress = Callable[[str, int], None]
"""Receives the name of an arm (or `states`) and the number of its documents just finished.

Under the name `PLANNED` it receives how many there will be, over all arms, before they begin."""
PLANNED: Final = "planned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every answer of an evaluation, and what the documents amount to."""

    rows: list[ScoredAnswer]
    sizes: Sizes
    ranked: tuple[RankedQuestion, ...] = ()
    """Candidates of every arm, where they were ranked."""
    cut: dict[str, int] = field(default_factory=dict)
    """Arm -> answers that were not at their end when they had as many tokens as they may."""


def run_arms(
    bench: Bench,
    documents: Sequence[Document],
    seed: int,
    progress: Progress,
    known: Outcome | None = None,
) -> Outcome:
    """Ask every question once an arm.

    Args:
        bench: what is measured, and which optional arms besides.
        documents: held out; at least two, because shuffling borrows from another one.
        seed: of the shuffle and of the random latents.
        progress: receives the arm and the documents just finished.
        known: of another compressor, measured with the same reasoner on the same documents: what
            was answered without any compressor (`WHOLE_ARMS`) is taken from there.

    Raises:
        LatentcompError: a requested arm does not exist.
    """
    documents = tuple(documents)
    arms = select_arms(bench.arms, documents)
    parts = 1 + len(arms) * (2 if bench.rank else 1)
    progress(PLANNED, parts * len(documents))
    compressed = compress_documents(bench, documents, partial(progress, "states"))
    inputs = ArmInputs(bench, documents, compressed.prefixes, seed)
    rows: list[ScoredAnswer] = []
    ranked: list[RankedQuestion] = []
    vectors: dict[str, int] = {}
    cut: dict[str, int] = {}
    for arm in arms:
        if known is not None and arm.name in WHOLE_ARMS and arm.name in known.cut:
            rows += [row for row in known.rows if row.arm == arm.name]
            ranked += [row for row in known.ranked if row.arm == arm.name]
            vectors[arm.name], cut[arm.name] = known.sizes.vectors[arm.name], known.cut[arm.name]
            progress(arm.name, len(documents))
            if bench.rank:
                progress(f"{arm.name} rank", len(documents))
            continue
        answers, weighed, read = _read(arm, inputs, progress)
        rows += answers.rows
        ranked += weighed
        vectors[arm.name] = per_document(answers.vectors, len(documents), read)
        cut[arm.name] = answers.cut
    return Outcome(rows, sizes_of(bench, documents, compressed, vectors), tuple(ranked), cut)


def _read(
    arm: Arm, inputs: ArmInputs, progress: Progress
) -> tuple[ArmAnswers, list[RankedQuestion], int]:
    """Answers of one arm, its ranked candidates, and how many prefixes were read."""
    bench, documents = inputs.bench, tuple(inputs.documents)
    read = one_by_one(documents) if arm.per_question else documents
    prefixes = arm.make(inputs)
    # As many questions in a batch either way.
    batch_size = bench.batch_size * max(1, len(read) // len(documents))
    answers = answer_questions(
        bench.reasoner,
        read,
        prefixes,
        arm.name,
        batch_size=batch_size,
        scorer=bench.scorer,
        answer_tokens=bench.answer_tokens,
        answerer=bench.answerer,
        progress=in_documents(progress, arm.name, len(documents), len(read)),
    )
    if not bench.rank:
        return answers, [], len(read)
    weighed = rank(
        bench.reasoner,
        read,
        prefixes,
        arm.name,
        batch_size=batch_size,
        progress=in_documents(progress, f"{arm.name} rank", len(documents), len(read)),
    )
    return answers, weighed, len(read)


def one_by_one(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Every question with a copy of its document of its own, in order."""
    return tuple(
        replace(document, questions=(question,))
        for document in documents
        for question in document.questions
    )


def per_document(vectors: int, documents: int, read: int) -> int:
    """Vectors before a question, summed over documents: a mean where each question has its own."""
    return vectors if read == documents else round(vectors * documents / max(1, read))


def in_documents(progress: Progress, what: str, documents: int, read: int) -> Callable[[int], None]:
    """Progress in documents, where what is read may be many copies of each."""
    done = 0

    def on_read(count: int) -> None:
        nonlocal done
        before, done = done * documents // max(1, read), done + count
        progress(what, done * documents // max(1, read) - before)

    return on_read


def sizes_of(
    bench: Bench,
    documents: Sequence[Document],
    compressed: CompressedDocuments,
    vectors: dict[str, int],
) -> Sizes:
    """What the documents amount to: in tokens, as latents, as states and as text.

    Args:
        bench: what was measured.
        documents: what was compressed.
        compressed: their latents.
        vectors: by arm, the vectors that stood before the questions.
    """
    spec = bench.model.spec
    state_numbers = len(spec.layers) * spec.teacher.hidden_size
    return Sizes(
        tokens=compressed.text_tokens,
        latents=compressed.latents,
        latent_bytes=compressed.latents * spec.latent_width * BYTES_PER_NUMBER,
        state_bytes=compressed.tokens * state_numbers * BYTES_PER_NUMBER,
        text_bytes=sum(len(document.text.encode()) for document in documents),
        vectors=vectors,
    )
