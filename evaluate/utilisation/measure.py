"""What the right answer costs the reasoner, in nats, behind every arm; nothing is generated.

A likelihood needs no answer that is spelt exactly, so it measures where greedy answers are at
nought: real text, small models, continuations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ...corpus.records import Document, Question
from ...models.loading import CausalLM
from ...reasoner.generate import Prefix
from ...reasoner.likelihood import Likelihood, encode_choice, log_likelihoods
from ..arms.latents import compress_documents
from ..arms.table import select_arms
from ..arms.text import ceiling, floor
from ..bench import ArmInputs, Bench
from ..sizes import Sizes
from ..suite import PLANNED, Progress, in_documents, one_by_one, per_document, sizes_of


@dataclass(frozen=True, slots=True)
class AnswerCost:
    """What one right answer costs behind one arm."""

    document_id: str
    question_id: str
    family: str
    arm: str
    log_likelihood: float
    """Natural logarithm of the probability of the right answer; of several, the first."""
    tokens: int
    """Of that answer, its end token included where it has one."""
    document_tokens: int
    """Of the whole document, in the reasoner's tokens."""
    age: int | None = None
    """Chunks behind the last one that settles the answer; None where that is not known."""
    original: str = ""
    """Document that this is a beginning of; "" of whole documents."""

    @property
    def cluster(self) -> str:
        """The independent unit, which intervals resample: all beginnings of a document are one."""
        return self.original or self.document_id


@dataclass(frozen=True, slots=True)
class Costs:
    """Every answer behind every arm, and what the documents amount to."""

    rows: list[AnswerCost]
    sizes: Sizes | None = None
    """None where nothing was compressed."""


def measure_costs(
    bench: Bench,
    documents: Sequence[Document],
    seed: int,
    progress: Progress,
    known: Sequence[AnswerCost] = (),
) -> Costs:
    """Weigh the right answer to every question once an arm.

    Args:
        bench: what is measured, and which optional arms besides.
        documents: held out; at least two, because shuffling borrows from another one.
        seed: of the shuffle and of the random latents.
        progress: receives the arm and the documents just finished.
        known: costs of arms that were weighed before with the same reasoner and documents and do
            not depend on the compressor; these are taken over.

    Raises:
        LatentcompError: a requested arm does not exist.
    """
    documents = tuple(documents)
    arms = select_arms(bench.arms, documents)
    weighed = {row.arm for row in known}
    planned = 1 + sum(arm.name not in weighed for arm in arms)
    progress(PLANNED, planned * len(documents))
    compressed = compress_documents(bench, documents, partial(progress, "states"))
    inputs = ArmInputs(bench, documents, compressed.prefixes, seed)
    rows: list[AnswerCost] = []
    vectors: dict[str, int] = {}
    for arm in arms:
        prefixes = arm.make(inputs)
        read = one_by_one(documents) if arm.per_question else documents
        behind = sum(len(prefix.x_PD) - inputs.head for prefix in prefixes)
        vectors[arm.name] = per_document(behind, len(documents), len(read))
        if arm.name in weighed:
            rows += [row for row in known if row.arm == arm.name]
            continue
        done = in_documents(progress, arm.name, len(documents), len(read))
        rows += weigh(bench.reasoner, read, prefixes, arm.name, bench.batch_size, done)
    return Costs(rows, sizes_of(bench, documents, compressed, vectors))


def measure_text_costs(
    lm: CausalLM, documents: Sequence[Document], batch_size: int, progress: Progress
) -> Costs:
    """The same with the whole document and with none: whether there is anything to retain.

    Args:
        lm: the reasoner, before anything was trained.
        documents: with their questions.
        batch_size: documents read at once.
        progress: receives the arm and the documents just finished.
    """
    made: dict[str, Callable[[CausalLM, Sequence[Document]], list[Prefix]]] = {
        "ceiling": ceiling,
        "floor": floor,
    }
    progress(PLANNED, len(made) * len(documents))
    rows: list[AnswerCost] = []
    for arm, make in made.items():
        done = partial(progress, arm)
        rows += weigh(lm, documents, make(lm, documents), arm, batch_size, done)
    return Costs(rows)


def weigh(
    lm: CausalLM,
    documents: Sequence[Document],
    prefixes: Sequence[Prefix],
    arm: str,
    batch_size: int,
    progress: Callable[[int], None] = lambda documents: None,
) -> list[AnswerCost]:
    """The cost of the right answer to every question behind `prefixes[i]`, for every document i.

    Args:
        lm: the frozen reasoner.
        documents: what the questions are about.
        prefixes: what stands in place of each document.
        arm: name of the arm that made the prefixes.
        batch_size: documents of one batch.
        progress: receives the number of documents of every finished batch.
    """
    rows: list[AnswerCost] = []
    for start in range(0, len(documents), batch_size):
        batch = documents[start : start + batch_size]
        choices = [
            [encode_choice(lm, question, [question.answer]) for question in one.questions]
            for one in batch
        ]
        read = prefixes[start : start + batch_size]
        weighed = log_likelihoods(lm, read, choices, batch_size=batch_size)
        for document, likelihoods in zip(batch, weighed, strict=True):
            rows += _rows(lm, document, arm, [likelihood for (likelihood,) in likelihoods])
        progress(len(batch))
    return rows


def _rows(
    lm: CausalLM, document: Document, arm: str, likelihoods: Sequence[Likelihood]
) -> list[AnswerCost]:
    tokens = len(lm.encode_text(document.text))
    return [
        AnswerCost(
            document.document_id,
            question.question_id,
            question.family,
            arm,
            likelihood.total,
            likelihood.tokens,
            tokens,
            _age(document, question),
            document.beginning_of or "",
        )
        for question, likelihood in zip(document.questions, likelihoods, strict=True)
    ]


def _age(document: Document, question: Question) -> int | None:
    if not question.evidence:
        return None
    return len(document.chunks) - 1 - question.evidence[-1]
