"""Candidate ranking: whether the right answer is likelier than the wrong ones, arm by arm.

A second measure beside exact match, which no misspelling moves: after each prefix and question
the reasoner weighs the right answer, the stale ones and values of other attributes and people
(`near_miss.candidates`). The likeliest wins, by the mean log-likelihood of its tokens or by the
whole one; means do not favour short answers. Questions without a known wrong answer are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.record import Record
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Prefix
from ..reasoner.likelihood import encode_choice, log_likelihoods
from .arms.table import in_order
from .near_miss import candidates
from .stats import RESAMPLES, Bootstrap, FloatArray, Interval, share


@dataclass(frozen=True, slots=True)
class RankedQuestion:
    """The candidates of one question with what one arm makes of them."""

    document_id: str
    question_id: str
    arm: str
    kinds: tuple[str, ...]
    """What each candidate is: `right`, then `stale` ones, then other mistakes."""
    candidates: tuple[str, ...]
    totals: tuple[float, ...]
    """Log-likelihood of each, end token included."""
    tokens: tuple[int, ...]
    """Tokens of each, end token included."""

    def winner(self, *, by_mean: bool) -> str:
        """What the likeliest candidate is; of equally likely ones the last, so never the right."""
        lengths = self.tokens if by_mean else (1,) * len(self.tokens)
        scores = [total / length for total, length in zip(self.totals, lengths, strict=True)]
        return self.kinds[max(range(len(scores)), key=lambda at: (scores[at], at))]


class Wins(Record):
    """Whose candidate wins, by arm."""

    right: dict[str, Interval]
    """Share of questions where the right answer wins."""
    stale: dict[str, Interval]
    """Share of questions with a stale candidate where one wins."""


class Ranking(Record):
    """Candidate ranking of one evaluation."""

    questions: int
    """Questions with a wrong candidate."""
    chance: float
    """Share of right ones that guessing among the candidates would give."""
    by_mean: Wins
    """By the mean log-likelihood of a candidate's tokens."""
    by_total: Wins
    """By the log-likelihood of the whole candidate."""


def rank(
    lm: CausalLM,
    documents: Sequence[Document],
    prefixes: Sequence[Prefix],
    arm: str,
    *,
    batch_size: int = 8,
    progress: Callable[[int], None] = lambda documents: None,
) -> list[RankedQuestion]:
    """Weigh the candidates of every question after `prefixes[i]`, for every document i.

    Args:
        lm: the frozen reasoner.
        documents: what the questions are about.
        prefixes: what stands in place of each document.
        arm: name of the arm that made the prefixes.
        batch_size: documents of one batch.
        progress: receives the number of documents of every finished batch.
    """
    ranked: list[RankedQuestion] = []
    for start in range(0, len(documents), batch_size):
        batch = documents[start : start + batch_size]
        read = prefixes[start : start + batch_size]
        given = [[(q, c) for q in one.questions if len(c := candidates(q)) > 1] for one in batch]
        choices = [
            [
                encode_choice(lm, question, [value for _, value in options])
                for question, options in row
            ]
            for row in given
        ]
        weighed = log_likelihoods(lm, read, choices, batch_size=batch_size)
        for document, row, likelihoods in zip(batch, given, weighed, strict=True):
            for (question, options), own in zip(row, likelihoods, strict=True):
                ranked.append(
                    RankedQuestion(
                        document.document_id,
                        question.question_id,
                        arm,
                        tuple(kind for kind, _ in options),
                        tuple(value for _, value in options),
                        tuple(each.total for each in own),
                        tuple(each.tokens for each in own),
                    )
                )
        progress(len(batch))
    return ranked


def ranking(
    ranked: Sequence[RankedQuestion],
    documents: Sequence[str],
    *,
    seed: int,
    originals: Mapping[str, str] = MappingProxyType({}),
    resamples: int = RESAMPLES,
) -> Ranking | None:
    """Shares with intervals, from the draw of documents that the evaluation's other figures have.

    Args:
        ranked: of every arm, the same questions.
        documents: ids of all that were evaluated.
        seed: of the draw, that of the evaluation.
        originals: id of a beginning -> that of its whole document, which is what is drawn.
        resamples: bootstrap draws.

    Returns:
        None where no question has a wrong candidate.
    """
    if not ranked:
        return None
    owners = {name: originals.get(name, name) for name in documents}
    place = {name: index for index, name in enumerate(sorted(set(owners.values())))}
    position = {name: place[owner] for name, owner in owners.items()}
    bootstrap = Bootstrap.draw(len(place), seed=seed, resamples=resamples)
    arms = in_order(each.arm for each in ranked)
    first = [each for each in ranked if each.arm == arms[0]]

    def wins(by_mean: bool) -> Wins:
        return Wins(
            right={arm: interval(arm, "right", by_mean) for arm in arms},
            stale={arm: interval(arm, "stale", by_mean) for arm in arms},
        )

    def interval(arm: str, kind: str, by_mean: bool) -> Interval:
        rows = [each for each in ranked if each.arm == arm and kind in each.kinds]
        won = [each.winner(by_mean=by_mean) == kind for each in rows]
        columns = {
            "won": _sums(rows, won, position, len(place)),
            "all": _sums(rows, [True] * len(rows), position, len(place)),
        }
        return bootstrap.interval(share("won", "all"), columns, columns["all"])

    return Ranking(
        questions=len(first),
        chance=float(np.mean([1 / len(each.candidates) for each in first])),
        by_mean=wins(True),
        by_total=wins(False),
    )


def _sums(
    rows: Sequence[RankedQuestion], values: Sequence[bool], position: dict[str, int], documents: int
) -> FloatArray:
    """Sums per document, [D]."""
    at = np.array([position[row.document_id] for row in rows], dtype=np.int64)
    return np.bincount(at, np.array(values, np.float64), documents).astype(np.float64)


_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in ("document_id", "question_id", "arm")]
    + [(name, pa.list_(pa.string())) for name in ("kinds", "candidates")]
    + [("totals", pa.list_(pa.float64())), ("tokens", pa.list_(pa.int32()))]
)


def write_ranking(path: Path, ranked: Sequence[RankedQuestion]) -> None:
    """Writes every candidate with its likelihood as Parquet."""
    records: list[dict[str, Any]] = [asdict(each) for each in ranked]
    atomic.write_parquet(path, pa.Table.from_pylist(records, schema=_SCHEMA))


def read_ranking(path: Path) -> tuple[RankedQuestion, ...]:
    """Reads what `write_ranking` wrote.

    Raises:
        LatentcompError: the file is missing, damaged, or not such a file.
    """
    try:
        rows = pq.read_table(path).cast(_SCHEMA).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise LatentcompError(
            f"{path}: not a readable file of ranked candidates ({reason}); run `latentcomp "
            "evaluate --rank` again"
        ) from error
    lists = ("kinds", "candidates", "totals", "tokens")
    return tuple(RankedQuestion(**row | {name: tuple(row[name]) for name in lists}) for row in rows)
