"""How the bits of a state become a stored row: as they are, or quantised in blocks.

Quantised (preset `int8`): a row of `hidden` values is `hidden` signed bytes, then one bfloat16
scale per block of 64 values; value = byte * scale. A row that is all ones (the fill value) has NaN
scales, so that missing data reads as NaN here, too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .dtypes import Bits, StoredDtype
from .schema import CodecName

BLOCK = 64
"""Values that share a scale."""
_LARGEST = 127
_SCALE_BYTES = 2
_ROWS = 512

StoredRows = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The stored form of the states of one store."""

    dtype: StoredDtype
    hidden: int
    codec: CodecName

    @property
    def exact(self) -> bool:
        """True if what is read is bit for bit what was written."""
        return self.codec != "int8"

    @property
    def row_bytes(self) -> int:
        """Bytes of one token in one layer."""
        if self.exact:
            return self.hidden * self.dtype.item_bytes
        return self.hidden + self._blocks * _SCALE_BYTES

    @property
    def zarr(self) -> str:
        """Zarr data type of the array."""
        return self.dtype.zarr if self.exact else "uint8"

    @property
    def array_dtype(self) -> str:
        """The same for numpy."""
        return self.dtype.numpy if self.exact else "u1"

    @property
    def width(self) -> int:
        """Length of the last axis of the array."""
        return self.hidden if self.exact else self.row_bytes

    @property
    def fill(self) -> int:
        """Fill value of the array."""
        return self.dtype.sentinel if self.exact else 255

    @property
    def attributes(self) -> dict[str, Any]:
        """What a reader without this package needs to know."""
        if self.exact:
            return {}
        scheme = {"scheme": "int8", "block": BLOCK, "scale": "bfloat16", "scales_at": self.hidden}
        return {"quantisation": scheme}

    def encode(self, bits: Bits, length: int) -> StoredRows:
        """Finite [rows, hidden] bits as stored rows [rows, row_bytes], `length` of them real.

        The rows behind those become the fill value, in `bits` too if the form is exact: then
        the result is a view of it.
        """
        if self.exact:
            bits[length:] = self.fill
            return bits.view(np.uint8)
        out = np.full((len(bits), self.row_bytes), self.fill, np.uint8)
        for first in range(0, length, _ROWS):
            part = slice(first, min(length, first + _ROWS))
            self._quantise(self.dtype.to_float32(bits[part]), out[part])
        return out

    def decode(self, rows: StoredRows) -> Bits:
        """The bits [..., hidden] of stored rows [..., row_bytes]."""
        if self.exact:
            bits: Bits = rows.view(self.dtype.numpy)
            return bits
        signed = rows[..., : self.hidden].view(np.int8)
        scales = np.ascontiguousarray(rows[..., self.hidden :]).view("<u2")
        values = self._blocked(signed.astype(np.float32))
        values *= (scales.astype(np.uint32) << np.uint32(16)).view(np.float32)[..., None]
        flat = values.reshape(*rows.shape[:-1], -1)[..., : self.hidden]
        return self.dtype.to_bits(torch.from_numpy(np.ascontiguousarray(flat)))

    def to_tensor(self, rows: StoredRows) -> torch.Tensor:
        """The states [..., hidden] of stored rows [..., row_bytes]; they share memory if exact."""
        if self.exact:
            return torch.from_numpy(rows).view(self.dtype.torch_dtype)
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
