"""Linear probes: what a linear map can read off latents, beside the mean states of the same tokens.

Needs scikit-learn (`pip install 'latentcomp[analysis]'`). Probes are fitted on every second
document and scored on the others; intervals are clustered by document. That something can be read
off does not say that the reasoner reads it. How strongly a map is held back is chosen on the
documents that it is fitted on, for both inputs alike, as they have unequally many numbers.

Shapes: n = latents of all documents, F = numbers of one input.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...common.errors import LatentcompError
from ...common.record import Record
from ..stats import Bootstrap, FloatArray, Interval, share
from .people import NO_PERSON
from .segment_rows import UNKNOWN, SegmentRows

_STRENGTHS: Final = (1.0, 10.0, 100.0, 1e3, 1e4)
"""Of the penalty on squared weights."""
_TOKENS: Final = 256
"""Most frequent tokens that are probed for."""

Chosen = NDArray[np.bool_]
Guess = Callable[[FloatArray, SegmentRows, Chosen], "Scores"]
"""(inputs [n, F], rows, rows to fit on) -> what came out of the other rows."""


class Probe(Record):
    """One thing that is told from one kind of input."""

    of: str
    """What is told: a key of `PROBES`."""
    source: str
    """`latents` or `mean states`."""
    score: Interval
    """Share that is told rightly."""
    base: Interval
    """The same by the best constant guess; of people, by one of the document at random."""


class Scores:
    """Right guesses by row, with those of a constant guess."""

    def __init__(self, right: FloatArray, base: FloatArray, rows: NDArray[np.int64]) -> None:
        self.right, self.base, self.rows = right, base, rows


def probe(rows: SegmentRows, seed: int) -> tuple[Probe, ...]:
    """Every probe on latents and on mean states; those without two documents are left out.

    Raises:
        LatentcompError: scikit-learn is not installed.
    """
    require_sklearn()
    fitted = rows.document % 2 == 0
    probes = []
    for name, guess in PROBES.items():
        for source, x_nF in (("latents", rows.latents), ("mean states", rows.means)):
            scores = guess(_standard(x_nF, fitted), rows, fitted)
            if len(set(rows.document[scores.rows])) > 1:
                probes.append(_probe(name, source, scores, rows, seed))
    return tuple(probes)


def _probe(name: str, source: str, scores: Scores, rows: SegmentRows, seed: int) -> Probe:
    owners, document = np.unique(rows.document[scores.rows], return_inverse=True)
    columns = {
        column: np.bincount(document, weights=values, minlength=len(owners)).astype(np.float64)
        for column, values in {
            "right": scores.right,
            "base": scores.base,
            "rows": np.ones(len(document)),
        }.items()
    }
    bootstrap = Bootstrap.draw(len(owners), seed=seed)
    score, base = (
        bootstrap.interval(share(column, "rows"), columns, columns["rows"])
        for column in ("right", "base")
    )
    return Probe(of=name, source=source, score=score, base=base)


def day(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen) -> Scores:
    """Whether the predicted day is nearest to its own among the days of its document."""
    known = rows.day >= 0
    train, test = fitted & known, np.flatnonzero(~fitted & known)
    if not train.any():
        return Scores(np.zeros(0), np.zeros(0), test[:0])
    model = require_sklearn().RidgeCV(_STRENGTHS).fit(x_nF[train], rows.day[train])
    mean = float(rows.day[train].mean())

    def nearest(row: int, guess: float) -> bool:
        days = np.unique(rows.day[(rows.document == rows.document[row]) & known])
        return bool(days[np.abs(days - guess).argmin()] == rows.day[row])

    guesses = model.predict(x_nF[test]) if len(test) else np.zeros(0)
    right = [nearest(row, guess) for row, guess in zip(test, guesses, strict=True)]
    return Scores(
        np.array(right, float), np.array([nearest(row, mean) for row in test], float), test
    )


def value(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen) -> Scores:
    """Whether a value still holds at the end of the document, or was replaced later."""
    known = rows.value != UNKNOWN
    train, test = fitted & known, np.flatnonzero(~fitted & known)
    kinds = Counter(rows.value[train].tolist())
    if len(kinds) < 2:
        return Scores(np.zeros(0), np.zeros(0), test[:0])
    model = require_sklearn().RidgeClassifierCV(_STRENGTHS).fit(x_nF[train], rows.value[train])
    common = kinds.most_common(1)[0][0]
    guesses = model.predict(x_nF[test]) if len(test) else np.zeros(0)
    truth = rows.value[test]
    return Scores((guesses == truth).astype(float), (truth == common).astype(float), test)


def tokens(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen) -> Scores:
    """Share of a segment's frequent tokens that are among as many likeliest ones."""
    train = np.flatnonzero(fitted)
    counts = Counter(token for row in train for token in rows.tokens[row])
    names = {token: column for column, (token, _) in enumerate(counts.most_common(_TOKENS))}
    bag = np.zeros((len(rows.tokens), len(names)))
    for row, held in enumerate(rows.tokens):
        bag[row, [names[token] for token in held if token in names]] = 1
    test = np.flatnonzero(~fitted & (bag.sum(1) > 0))
    model = require_sklearn().RidgeCV(_STRENGTHS).fit(x_nF[train], bag[train])
    guesses = model.predict(x_nF[test]) if len(test) else np.zeros((0, len(names)))
    order = np.tile(np.arange(len(names), 0, -1.0), (len(test), 1))
    return Scores(_recall(guesses, bag[test]), _recall(order, bag[test]), test)


def entity(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen) -> Scores:
    """Which person of the document is named in the segment."""
    return _who(x_nF, rows, fitted, rows.named)


def owner(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen) -> Scores:
    """Whose value stands in the segment, where the name does not."""
    return _who(x_nF, rows, fitted, rows.owner)


def _who(x_nF: FloatArray, rows: SegmentRows, fitted: Chosen, label_n: NDArray[np.int64]) -> Scores:
    """Whether the code that is told is nearest to that of the right person of the document."""
    crowd = np.array([len(rows.people[document]) for document in rows.document])
    known = (label_n != NO_PERSON) & (crowd > 1)
    train, test = np.flatnonzero(fitted & known), np.flatnonzero(~fitted & known)
    if not len(train) or not len(test):
        return Scores(np.zeros(0), np.zeros(0), test[:0])
    codes = np.stack([rows.people[rows.document[row]][label_n[row]] for row in train])
    model, mean = require_sklearn().RidgeCV(_STRENGTHS).fit(x_nF[train], codes), codes.mean(0)
    right = np.zeros(len(test))
    for place, (row, code) in enumerate(zip(test, model.predict(x_nF[test]), strict=True)):
        # A held-back map tells too little of everything, so directions are compared.
        away = rows.people[rows.document[row]] - mean
        near = away @ (code - mean) / np.linalg.norm(away, axis=1).clip(min=1e-12)
        right[place] = near.argmax() == label_n[row]
    return Scores(right, 1 / crowd[test], test)


def _recall(score_nV: FloatArray, bag_nV: FloatArray) -> FloatArray:
    """Of the tokens in each bag, the share among as many with the highest scores."""
    out = np.zeros(len(bag_nV))
    for row, (scores, bag) in enumerate(zip(score_nV, bag_nV, strict=True)):
        count = int(bag.sum())
        out[row] = bag[np.argsort(-scores, kind="stable")[:count]].sum() / count
    return out


PROBES: Final[dict[str, Guess]] = {
    "day": day,
    "value": value,
    "entity": entity,
    "owner": owner,
    "tokens": tokens,
}
"""By what is told."""


def _standard(x_nF: FloatArray, fitted: Chosen) -> FloatArray:
    mean, spread = x_nF[fitted].mean(0), x_nF[fitted].std(0)
    return np.asarray((x_nF - mean) / np.where(spread > 0, spread, 1.0), dtype=np.float64)


def require_sklearn() -> Any:  # noqa: ANN401  an optional extra
    """Its linear models.

    Raises:
        LatentcompError: scikit-learn is not installed.
    """
    try:
        from sklearn import linear_model
    except ImportError as error:
        raise LatentcompError(
            "no probes: scikit-learn is not installed; pip install 'latentcomp[analysis]'"
        ) from error
    return linear_model
