"""How logical floating point types are stored: as plain integers, bit for bit.

Zarr has no bfloat16 that zarr-python can open, so every array holds unsigned integers and names
the type in its attributes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from .schema import DtypeName

Bits = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class StoredDtype:
    """The integer form of one floating point type."""

    name: DtypeName
    torch_dtype: torch.dtype
    zarr: str
    """Zarr data type of the stored integers."""
    numpy: str
    """The same for numpy, little-endian."""
    sentinel: int
    """Fill value: a NaN that no arithmetic produces, so missing data is never read as zeros."""
    exponent: int
    """Exponent bits; all of them set means infinity or NaN."""
    magnitude: int
    """All bits but the sign; magnitudes compare like integers."""

    @property
    def item_bytes(self) -> int:
        """Bytes of one value."""
        return np.dtype(self.numpy).itemsize

    def to_bits(self, states: torch.Tensor) -> Bits:
        """The stored integers of a tensor of any floating type and device, same shape."""
        signed = torch.int16 if self.item_bytes == 2 else torch.int32
        exact = states.detach().to(device="cpu", dtype=self.torch_dtype).contiguous()
        bits: Bits = exact.view(signed).numpy().view(self.numpy)
        return bits

    def to_tensor(self, bits: Bits) -> torch.Tensor:
        """The tensor of stored integers, sharing their memory."""
        signed = "<i2" if self.item_bytes == 2 else "<i4"
        return torch.from_numpy(bits.view(signed)).view(self.torch_dtype)

    def to_float32(self, bits: Bits) -> npt.NDArray[np.float32]:
        """The values as float32, exactly."""
        out = np.empty(bits.shape, np.float32)
        self.into_float32(bits, out)
        return out

    def into_float32(self, bits: Bits, out: npt.NDArray[np.float32]) -> None:
        """Write the values as float32 into `out`, of the same shape: no memory is allocated."""
        if self.name == "bfloat16":
            words = out.view(np.uint32)
            np.copyto(words, bits)
            np.left_shift(words, np.uint32(16), out=words)
        else:
            np.copyto(out, bits.view("<f2" if self.name == "float16" else "<f4"))

    def first_not_finite(self, bits: Bits) -> int:
        """The first row of [rows, hidden] with a NaN or an infinity, of which there is one."""
        magnitudes = bits & bits.dtype.type(self.magnitude)
        return int(np.argmax(magnitudes.max(axis=1) >= self.exponent))


_ALL = (
    StoredDtype("bfloat16", torch.bfloat16, "uint16", "<u2", 0x7FC1, 0x7F80, 0x7FFF),
    StoredDtype("float16", torch.float16, "uint16", "<u2", 0x7E01, 0x7C00, 0x7FFF),
    StoredDtype("float32", torch.float32, "uint32", "<u4", 0x7FC00001, 0x7F800000, 0x7FFFFFFF),
)
DTYPES: dict[str, StoredDtype] = {dtype.name: dtype for dtype in _ALL}
