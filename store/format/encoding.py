"""How the bits of a state become a stored row: exactly, or quantised in blocks.

Quantised (preset `int8`): a row of `hidden` values is `hidden` signed bytes, then one bfloat16
scale per block of 64 values; value = byte * scale. A row of only ones (the fill value) has NaN
scales, so that missing data reads as NaN here, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from .codecs import CODECS, CodecName, RowForm
from .dtypes import Bits, StoredDtype

BLOCK = 64
"""Values that share a scale."""
_LARGEST = 127
_SCALE_BYTES = 2
_ROWS = 512
"""Rows that are quantised at once, so that their float32 values stay in the cache."""

StoredRows = npt.NDArray[np.uint8]


class Encoding(Protocol):
    """The stored form of the states of one store."""

    @property
    def exact(self) -> bool:
        """True if what is read is bit for bit what was written."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one token in one layer."""

    @property
    def zarr(self) -> str:
        """Zarr data type of the array."""

    @property
    def array_dtype(self) -> str:
        """The same for numpy."""

    @property
    def width(self) -> int:
        """Length of the last axis of the array."""

    @property
    def fill(self) -> int:
        """Fill value of the array."""

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the array for readers without this package."""

    def encode(self, bits: Bits, length: int) -> StoredRows:
        """Finite [rows, hidden] bits as stored rows [rows, row_bytes].

        Args:
            bits: the states; an exact form overwrites the rows from `length` on with the fill
                value and returns a view.
            length: number of rows that are states; those behind become the fill value.
        """

    def decode(self, rows: StoredRows) -> Bits:
        """The bits [..., hidden] of stored rows [..., row_bytes]."""

    def to_tensor(self, rows: StoredRows) -> torch.Tensor:
        """The states [..., hidden] of stored rows [..., row_bytes]; they share memory if exact."""


def encoding_of(dtype: StoredDtype, hidden: int, codec: CodecName) -> Encoding:
    """The stored form of states of a dtype and width under a codec preset."""
    return ROW_FORMS[CODECS[codec].rows](dtype, hidden)


@dataclass(frozen=True, slots=True)
class ExactRows:
    """Rows of the same bits as the states."""

    dtype: StoredDtype
    hidden: int
    exact: bool = True

    @property
    def row_bytes(self) -> int:
        return self.hidden * self.dtype.item_bytes

    @property
    def zarr(self) -> str:
        return self.dtype.zarr

    @property
    def array_dtype(self) -> str:
        return self.dtype.numpy

    @property
    def width(self) -> int:
        return self.hidden

    @property
    def fill(self) -> int:
        return self.dtype.sentinel

    @property
    def attributes(self) -> dict[str, Any]:
        return {}

    def encode(self, bits: Bits, length: int) -> StoredRows:
        bits[length:] = self.fill
        return bits.view(np.uint8)

    def decode(self, rows: StoredRows) -> Bits:
        bits: Bits = rows.view(self.dtype.numpy)
        return bits

    def to_tensor(self, rows: StoredRows) -> torch.Tensor:
        return torch.from_numpy(rows).view(self.dtype.torch_dtype)


@dataclass(frozen=True, slots=True)
class Int8Rows:
    """Rows of signed bytes with a scale per block."""

    dtype: StoredDtype
    hidden: int
    exact: bool = False
    zarr: str = "uint8"
    array_dtype: str = "u1"
    fill: int = 255

    @property
    def row_bytes(self) -> int:
        return self.hidden + self._blocks * _SCALE_BYTES

    @property
    def width(self) -> int:
        return self.row_bytes

    @property
    def attributes(self) -> dict[str, Any]:
        scheme = {"scheme": "int8", "block": BLOCK, "scale": "bfloat16", "scales_at": self.hidden}
        return {"quantisation": scheme}

    def encode(self, bits: Bits, length: int) -> StoredRows:
        out = np.full((len(bits), self.row_bytes), self.fill, np.uint8)
        for first in range(0, length, _ROWS):
            part = slice(first, min(length, first + _ROWS))
            self._quantise(self.dtype.to_float32(bits[part]), out[part])
        return out

    def decode(self, rows: StoredRows) -> Bits:
        signed = rows[..., : self.hidden].view(np.int8)
        scales = np.ascontiguousarray(rows[..., self.hidden :]).view("<u2")
        values = self._blocked(signed.astype(np.float32))
        values *= (scales.astype(np.uint32) << np.uint32(16)).view(np.float32)[..., None]
        flat = values.reshape(*rows.shape[:-1], -1)[..., : self.hidden]
        return self.dtype.to_bits(torch.from_numpy(np.ascontiguousarray(flat)))

    def to_tensor(self, rows: StoredRows) -> torch.Tensor:
        return self.dtype.to_tensor(self.decode(rows))

    @property
    def _blocks(self) -> int:
        return -(-self.hidden // BLOCK)

    def _quantise(self, values: npt.NDArray[np.float32], out: StoredRows) -> None:
        blocks = self._blocked(values)
        exact = np.abs(blocks).max(axis=-1) / np.float32(_LARGEST)
        # Rounded up, so that the largest value of a block never falls outside -127 .. 127.
        words = (exact.view(np.uint32) + np.uint32(0xFFFF)) >> np.uint32(16)
        scales = (words << np.uint32(16)).view(np.float32)[..., None]
        codes = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0)
        flat = np.rint(codes).reshape(len(values), -1)[:, : self.hidden]
        out[:, : self.hidden] = flat.astype(np.int8).view(np.uint8)
        out[:, self.hidden :] = words.astype("<u2").view(np.uint8)

    def _blocked(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[..., hidden] as [..., blocks, BLOCK], zeros behind the last value."""
        missing = self._blocks * BLOCK - self.hidden
        if missing:
            values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
        return values.reshape(*values.shape[:-1], self._blocks, BLOCK)


ROW_FORMS: dict[RowForm, Callable[[StoredDtype, int], Encoding]] = {
    "exact": ExactRows,
    "int8": Int8Rows,
}
