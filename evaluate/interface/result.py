"""The result of `latentcomp ceiling`: accuracy by ratio, on questions seen and on others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from ...common import atomic
from ...common.record import Record, read_record
from ...corpus.records import Document
from ...store.format.schema import ModelIdentity
from ..cells import Cell, break_down
from ..held_out import Source
from ..scores import ScoredAnswer
from ..stats import RESAMPLES, Figure
from .settings import Settings
from .split import split_questions


class Side(Record):
    """Figures over the questions that the optimisation saw, or over those it did not."""

    overall: Cell
    """Every arm with its interval, clustered by document."""
    families: dict[str, Cell]
    """By question family."""


class RatioResult(Record):
    """One ratio."""

    ratio: float
    """Nominal tokens per latent."""
    tokens_per_latent: Figure
    """Measured; a little under the nominal one, as the number of latents is rounded up."""
    latents: int
    """Of all documents."""
    optimised_for: Side
    """Questions that the optimisation saw: an upper comparator, not a retention."""
    held_out: Side | None
    """Other questions about the same documents; None where none were held out."""
    curve: tuple[tuple[int, float], ...]
    """(steps done, nats per answer token that the optimisation sees, mean over documents)."""
    seconds: float
    """Of optimisation, summed over batches."""


class InterfaceResult(Record):
    """What the frozen reader can do with K vectors a document, whatever writes them."""

    documents: int
    reasoner: ModelIdentity
    corpus: Source
    """Which documents these are."""
    settings: Settings
    """How the latents were optimised."""
    seed: int
    """Of the resampling."""
    ratios: dict[str, RatioResult]
    """By ratio, such as `8`."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know, a line each."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Code, versions, hardware, inputs."""

    def write(self, path: Path) -> None:
        """Write as JSON, null for NaN, atomically."""
        atomic.write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises: LatentcompError, one line."""
        return read_record(cls, path)


def sides(
    rows: Sequence[ScoredAnswer],
    documents: Sequence[Document],
    settings: Settings,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[Side, Side | None]:
    """Figures of the questions that were optimised for, and of those held out of it.

    Args:
        rows: every arm's answers to all questions.
        documents: with these questions.
        settings: whose seed and share say which were held out.
        seed: of the bootstrap, one draw of documents for all arms.
        resamples: bootstrap draws.
    """
    held = {
        (document.document_id, question.question_id)
        for document in documents
        for question in split_questions(document, settings.hold_out, settings.seed).held_out
    }
    parts: list[list[ScoredAnswer]] = [[], []]
    for row in rows:
        parts[(row.document_id, row.question_id) in held].append(row)
    seen, unseen = (_side(part, seed, resamples) if part else None for part in parts)
    assert seen is not None, "a document has a question that is optimised for"
    return seen, unseen


def _side(rows: Sequence[ScoredAnswer], seed: int, resamples: int) -> Side:
    breakdown = break_down(rows, seed=seed, resamples=resamples)
    return Side(overall=breakdown.overall, families=breakdown.families)
