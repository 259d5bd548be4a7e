"""Per-layer statistics: partial sums per shard, gathered while writing, and their summary.

Every sum runs over tokens in order and over shards in order, so the same states give the same
bits, whether or not the writer was killed in between.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .dtypes import Bits, StoredDtype
from .layout import STATISTICS_ROWS
from .schema import LayerRecord, Record
from .shards import crc32c

OUTLIERS = 8
"""Dimensions listed per layer."""
BLOCK = 256
"""Tokens that are summed in float32 before they are added in float64."""
_SAFE = 2.0**55  # 256 squares below this stay far within float32

Doubles = npt.NDArray[np.float64]


class Outlier(Record):
    """A dimension whose values are far larger than the others'."""

    dimension: int
    rms: float
    """Root mean square over all tokens."""
    max_abs: float


class Loss(Record):
    """Relative L2 error of the states read back against those extracted."""

    relative_error: float
    """Over all dimensions."""
    relative_error_without_outliers: float
    """Over the dimensions not listed as outliers, which would dominate the sum."""


class LayerStatistics(Record):
    """One layer over all tokens."""

    blocks_completed: int
    mean: float
    """Over tokens and dimensions."""
    rms: float
    """Root mean square over tokens and dimensions."""
    max_abs: float
    outliers: tuple[Outlier, ...]
    """The dimensions of largest RMS, largest first."""
    lost: Loss | None = None
    """Error of the codec, measured on every state; None for an exact codec."""


class Sums:
    """Sum, sum of squares and largest magnitude per dimension of one layer, block by block."""

    def __init__(self, dtype: StoredDtype, hidden: int) -> None:
        """Start at zero."""
        self.values: Doubles = np.zeros((len(STATISTICS_ROWS), hidden))
        """[3, hidden]; a largest magnitude that is not finite means that a value is not, and then
        the sums are invalid."""
        self._dtype = dtype
        self._floats = np.empty((BLOCK, hidden), np.float32)
        self._magnitudes = np.empty((BLOCK, hidden), dtype.numpy)

    @property
    def finite(self) -> bool:
        """False if a value is NaN or infinite."""
        return bool(np.isfinite(self.values[2]).all())

    def add(self, bits: Bits) -> None:
        """Add [tokens, hidden], the next tokens; all but the last time a multiple of `BLOCK`."""
        for first in range(0, len(bits), BLOCK):
            self._add_block(bits[first : first + BLOCK])

    def _add_block(self, block: Bits) -> None:
        floats, magnitudes = self._floats[: len(block)], self._magnitudes[: len(block)]
        np.bitwise_and(block, block.dtype.type(self._dtype.magnitude), out=magnitudes)
        largest = self._dtype.to_float32(magnitudes.max(axis=0, keepdims=True))[0]
        np.maximum(self.values[2], largest, out=self.values[2])
        if not np.isfinite(largest).all():
            return
        self._dtype.into_float32(block, floats)
        if largest.max() < _SAFE:
            self.values[0] += floats.sum(axis=0)
            np.multiply(floats, floats, out=floats)
            self.values[1] += floats.sum(axis=0)
        else:
            exact = floats.astype(np.float64)
            self.values[0] += exact.sum(axis=0)
            self.values[1] += np.square(exact).sum(axis=0)


class Errors:
    """Sum over tokens of the squared difference between extracted and read states."""

    def __init__(self, dtype: StoredDtype, hidden: int) -> None:
        """Start at zero."""
        self.values: Doubles = np.zeros(hidden)
        self._dtype = dtype

    def add(self, exact: Bits, stored: Bits) -> None:
        """Add two [tokens, hidden]; all but the last time a multiple of `BLOCK`."""
        for first in range(0, len(exact), BLOCK):
            part = slice(first, first + BLOCK)
            wrong = self._dtype.to_float32(exact[part]).astype(np.float64)
            wrong -= self._dtype.to_float32(stored[part])
            self.values += np.square(wrong).sum(axis=0)


def encode(sums: Doubles) -> bytes:
    """The bytes of one chunk of the `statistics` array."""
    data = sums[None].astype("<f8").tobytes()
    return data + crc32c(data)


def decode(data: bytes, layers: int, rows: int, hidden: int) -> Doubles:
    """Undo `encode` for [layers, rows, hidden].

    Raises:
        ValueError: damaged.
    """
    shape = (layers, rows, hidden)
    if crc32c(data[:-4]) != data[-4:] or len(data) != 8 * int(np.prod(shape)) + 4:
        raise ValueError("the statistics fail their checksum")
    return np.frombuffer(data[:-4], "<f8").reshape(shape)


class Total:
    """The partial sums of shards, added in their order."""

    def __init__(self) -> None:
        """Start with none."""
        self._values: Doubles | None = None

    def add(self, sums: Doubles) -> None:
        """Add those of the next shard, [layers, rows, hidden]."""
        if self._values is None:
            self._values = np.zeros_like(sums)
        largest = np.maximum(self._values[:, 2], sums[:, 2])
        self._values += sums
        self._values[:, 2] = largest

    def summary(self, layers: tuple[LayerRecord, ...], tokens: int) -> tuple[LayerStatistics, ...]:
        """Statistics over `tokens` tokens."""
        assert self._values is not None, "a store has at least one shard"
        pairs = zip(layers, self._values, strict=True)
        return tuple(_layer(layer, tokens, sums) for layer, sums in pairs)


def summarise(
    layers: tuple[LayerRecord, ...], tokens: int, partials: Iterable[Doubles]
) -> tuple[LayerStatistics, ...]:
    """Combine the partial sums of all shards, in order, over `tokens` tokens."""
    total = Total()
    for sums in partials:
        total.add(sums)
    return total.summary(layers, tokens)


def _layer(layer: LayerRecord, tokens: int, sums: Doubles) -> LayerStatistics:
    mean_square = sums[1] / tokens
    top = np.argsort(-mean_square, kind="stable")[:OUTLIERS]
    outliers = tuple(
        Outlier(
            dimension=int(i),
            rms=float(np.sqrt(mean_square[i])),
            max_abs=float(sums[2, i]),
        )
        for i in top
    )
    return LayerStatistics(
        blocks_completed=layer.blocks_completed,
        mean=float(sums[0].mean() / tokens),
        rms=float(np.sqrt(mean_square.mean())),
        max_abs=float(sums[2].max()),
        outliers=outliers,
        lost=_loss(sums, top) if len(sums) > len(STATISTICS_ROWS) else None,
    )


def _loss(sums: Doubles, top: npt.NDArray[np.int64]) -> Loss:
    squares, errors = sums[1], sums[3]
    rest = np.ones(len(squares), np.bool_)
    rest[top] = False
    others = max(float(squares[rest].sum()), np.finfo(np.float64).tiny)
    return Loss(
        relative_error=float(np.sqrt(errors.sum() / max(squares.sum(), np.finfo(float).tiny))),
        relative_error_without_outliers=float(np.sqrt(errors[rest].sum() / others)),
    )
