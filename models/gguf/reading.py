"""A GGUF file as fields and tensors, by the package `gguf`; nothing of it is believed unchecked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...common.errors import TeacherError
from ..json_files import one_line

MAGIC: Final = b"GGUF"
EXACT: Final = ("F64", "F32", "F16", "BF16")
"""Types of tensors that are not quantised."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class GgufFile:
    """What a file says, and its tensors by name, mapped into memory."""

    path: Path
    fields: Mapping[str, Any]
    """Numbers, strings and lists of them, by the file's own keys."""
    tensors: Mapping[str, Any]
    """`gguf.ReaderTensor` by the file's own names."""

    def number(self, key: str, default: float | None = None) -> float:
        """A number of the file.

        Raises:
            TeacherError: it is missing and has no default, or is no number.
        """
        value = self.fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TeacherError(
                f"{self.path}: {key} is {value!r}, expected a number; the file is not a complete "
                "model, so get another one"
            )
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number from 1 to 2^24.

        Raises:
            TeacherError: it is missing and has no default, or is none.
        """
        value = self.number(key, default)
        if value != int(value) or not 1 <= value <= 1 << 24:
            raise TeacherError(
                f"{self.path}: {key} is {value!r}, expected a whole number from 1 to {1 << 24:,}; "
                "the file is damaged, so get it again"
            )
        return int(value)

    def values(self, name: str) -> Floats:
        """A tensor as float32, quantised ones multiplied out.

        Raises:
            TeacherError: the package `gguf` cannot read numbers of its type.
        """
        from gguf import dequantize

        tensor = self.tensors[name]
        try:
            made = dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, KeyError) as error:
            raise TeacherError(
                f"{self.path}: tensor {name} is quantised as {tensor.tensor_type.name}, which the "
                "package gguf cannot read; get another quantisation of the model, such as Q8_0"
            ) from error
        return np.ascontiguousarray(made, dtype=np.float32)

    def quantised(self) -> str | None:
        """The type of most quantised numbers, such as `Q4_1`; None if none are quantised."""
        numbers: Counter[str] = Counter()
        for tensor in self.tensors.values():
            numbers[tensor.tensor_type.name] += int(tensor.n_elements)
        kinds = [kind for kind, _ in numbers.most_common() if kind not in EXACT]
        return kinds[0] if kinds else None


def check_package() -> None:
    """Refuse to begin where the package `gguf` is missing.

    Raises:
        TeacherError: it is.
    """
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise TeacherError(
            f"the package gguf is not installed ({one_line(error)}); run `pip install gguf`"
        ) from error


def read_gguf(path: Path) -> GgufFile:
    """Open a GGUF file; its tensors are read when they are asked for.

    Raises:
        TeacherError: it is none, damaged, cut short or one of several parts; or `gguf` is missing.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError as error:
        raise TeacherError(f"{path}: {error.strerror}; give a GGUF file or a wheel") from error
    if begins != MAGIC:
        raise TeacherError(f"{path} is no GGUF file (it begins with {begins!r}); give one")
    check_package()
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
    except Exception as error:  # the package checks little: what numpy says of a short file
        size = path.stat().st_size
        raise TeacherError(
            f"{path} ({size:,} bytes) is truncated or damaged ({one_line(error)}); "
            "copy or download it again"
        ) from error
    parts = fields.get("split.count", 1)
    if parts != 1:
        raise TeacherError(f"{path} is one of {parts} parts of a model; join them (gguf-split)")
    return GgufFile(path, fields, {tensor.name: tensor for tensor in reader.tensors})
