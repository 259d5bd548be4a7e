"""Checking one shard: every checksum, fingerprint and value; a few megabytes are in memory."""

import functools
import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..format import statistics
from ..format.encoding import StoredRows
from ..format.identity import owner_sha256
from ..format.layout import Layout
from ..format.shard_table import FileRecord, ShardRecord
from ..format.shards import (
    CRC_BYTES,
    HEADER_BYTES,
    Grid,
    ShardIndex,
    decode_chunk,
    decode_index,
    decode_shard,
    header,
    shard_sha256,
)
from ..format.statistics import Doubles, Sums
from ..places.parts import PartReader, Span
from ..places.protocol import Place

_BLOCK = 2**22
"""Bytes of states that are read at once, at least."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect."""

    path: str
    """File, relative to the store."""
    message: str


@dataclass(slots=True)
class ShardResult:
    """What was found in one shard."""

    shard: int
    problems: list[Problem] = field(default_factory=list)
    ids: npt.NDArray[np.uint32] | None = None
    """[tokens] its token ids; None if they cannot be read."""
    sums: Doubles | None = None
    """[layers, rows, hidden] its statistics; None if the shard is not what was written."""
    files: int = 0
    bytes_read: int = 0


class ShardCheck:
    """Checks shards of one store; threads may share it."""

    def __init__(self, store: Place, layout: Layout) -> None:
        """Of this store."""
        self._store, self._layout = store, layout
        self._owner = owner_sha256(layout.manifest)

    def check(self, record: ShardRecord, *, known: bool = False) -> ShardResult:
        """Check the files of a shard.

        Args:
            record: of the shard.
            known: its states were checked against this record before, and not changed since.
        """
        result, shard = ShardResult(record.shard), record.shard
        length = self._layout.states.shard_length(shard)
        first = shard * self._layout.manifest.shard_tokens
        names = self._layout.shard_files(shard)
        if (record.tokens, record.first_token) != (length, first):
            text = f"the ledger's record of shard {shard} does not fit"
            result.problems.append(Problem(names[0], text))
            return result
        sound = None if known else self._states(result, record.files[0])
        ids, sums = self._ids(result, record.files[1]), self._sums(result, record.files[2])
        result.ids = ids
        if ids is not None and sums is not None and (sound is not None or known):
            result.sums = sums
            if sound is not None:
                sound.compare(result, names, sums)
        return result

    def _states(self, result: ShardResult, file: FileRecord) -> "_States | None":
        """Read all states; None, and a problem, if they are not what was written."""
        try:
            opened = self._store.open(file.path)
            result.files += 1
            result.bytes_read += opened.size
            if opened.size != file.bytes:
                raise _OtherSize(f"has {opened.size} bytes instead of {file.bytes}")
            return self._read(opened, result.shard, file.sha256)
        except OSError as error:
            text = f"cannot be read ({error.strerror or error})"
            result.problems.append(Problem(file.path, text))
        except _OtherSize as error:
            result.problems.append(Problem(file.path, str(error)))
        except ValueError as error:
            result.problems.append(Problem(file.path, f"shard {result.shard}: {error}"))
        return None

    def _read(self, file: PartReader, shard: int, expected: str) -> "_States":
        """Raises: OSError, ValueError: it is damaged, or not the file that was recorded."""
        layout, grid = self._layout, self._layout.states
        if file.size < HEADER_BYTES + grid.index_bytes:
            raise ValueError(f"the file is cut off at {file.size} bytes")
        first = bytes(_part(file, 0, HEADER_BYTES))
        table = bytes(_part(file, file.size - grid.index_bytes, file.size))
        if first != header(self._owner, shard):
            raise ValueError("the header is of another shard or another store")
        index = decode_index(grid, shard, table, file.size)
        digest, states = hashlib.sha256(first), _States(layout)
        length, step = grid.shard_length(shard), _chunks_at_once(grid)
        for column in range(grid.columns):
            sums = Sums(layout.dtype, layout.hidden)
            for low in range(0, len(index.offsets), step):
                rows, checksums = _rows(file, grid, index, column, low, step)
                digest.update(checksums)
                states.add(sums, rows, max(0, length - low * grid.chunk_tokens))
            states.sums.append(sums)
        digest.update(table)
        if digest.hexdigest() != expected:
            raise ValueError("its fingerprint is not the recorded one")
        return states

    def _ids(self, result: ShardResult, file: FileRecord) -> npt.NDArray[np.uint32] | None:
        data, grid = self._whole(result, file), self._layout.token_ids
        if data is None:
            return None
        try:
            rows = decode_shard(grid, self._owner, result.shard, data)
            if shard_sha256(grid, result.shard, data) != file.sha256:
                raise ValueError("its fingerprint is not the recorded one")
        except ValueError as error:
            result.problems.append(Problem(file.path, f"shard {result.shard}: {error}"))
            return None
        return rows.view("<u4")[0, : grid.shard_length(result.shard), 0]

    def _sums(self, result: ShardResult, file: FileRecord) -> Doubles | None:
        data, layout = self._whole(result, file), self._layout
        if data is None:
            return None
        if hashlib.sha256(data).hexdigest() != file.sha256:
            result.problems.append(Problem(file.path, "its SHA-256 is not the recorded one"))
            return None
        try:
            rows = len(layout.statistics_rows)
            return statistics.decode(data, len(layout.manifest.layers), rows, layout.hidden)
        except ValueError as error:
            result.problems.append(Problem(file.path, f"shard {result.shard}: {error}"))
            return None

    def _whole(self, result: ShardResult, file: FileRecord) -> bytes | None:
        """The bytes of a small file, if there are as many as recorded."""
        try:
            data = self._store.read(file.path)
        except OSError as error:
            text = f"cannot be read ({error.strerror or error})"
            result.problems.append(Problem(file.path, text))
            return None
        result.files += 1
        result.bytes_read += len(data)
        if len(data) != file.bytes:
            text = f"has {len(data)} bytes instead of {file.bytes}"
            result.problems.append(Problem(file.path, text))
            return None
        return data


class _OtherSize(ValueError):
    """A file has more or fewer bytes than recorded."""


class _States:
    """Sums over the states of a shard, and what is wrong with its padding."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.sums: list[Sums] = []
        """Of every layer."""
        self._padded = True

    def add(self, sums: Sums, rows: StoredRows, length: int) -> None:
        """Add the next rows of a layer, of which `length` or more are states."""
        form = self._layout.encoding
        sums.add(form.decode(rows[:length]))
        self._padded &= not bool((rows[length:].view(form.array_dtype) != form.fill).any())

    def compare(self, result: ShardResult, names: tuple[str, ...], stored: Doubles) -> None:
        """Compare with the stored statistics."""
        shard = result.shard
        for sums, layer, wanted in zip(
            self.sums, self._layout.manifest.layers, stored, strict=True
        ):
            if not sums.finite:
                where = f"shard {shard}, layer after {layer.blocks_completed} blocks"
                text = f"{where}: a state is NaN or infinite"
                result.problems.append(Problem(names[0], text))
                return
            if not np.array_equal(sums.values, wanted[: len(sums.values)]):
                text = f"shard {shard}: statistics are not those of the states"
                result.problems.append(Problem(names[2], text))
        if not self._padded:
            text = f"shard {shard}: the padding is not the fill value"
            result.problems.append(Problem(names[0], text))


@functools.lru_cache(maxsize=16)
def _chunks_at_once(grid: Grid) -> int:
    """Chunks that fill a block; sums are made of whole `statistics.BLOCK`s of tokens."""
    tokens = math.lcm(statistics.BLOCK, grid.chunk_tokens)
    return max(1, _BLOCK // (tokens * grid.row_bytes)) * tokens // grid.chunk_tokens


def _rows(
    file: PartReader, grid: Grid, index: ShardIndex, column: int, low: int, step: int
) -> tuple[StoredRows, bytes]:
    """Some chunks of a column, one after another, and their checksums.

    Raises:
        OSError: the disk fails.
        ValueError: damaged.
    """
    lengths = index.lengths[low : low + step, column].tolist()
    start = int(index.offsets[low, column])
    data = _part(file, start, start + sum(lengths))
    rows = np.empty((len(lengths), grid.chunk_tokens, grid.row_bytes), np.uint8)
    checksums, at = bytearray(), 0
    for number, length in enumerate(lengths):
        rows[number] = decode_chunk(grid, data[at : at + length])
        at += length
        checksums += data[at - CRC_BYTES : at]
    return rows.reshape(-1, grid.row_bytes), bytes(checksums)


def _part(file: PartReader, start: int, stop: int) -> memoryview:
    """The bytes [start, stop) of a file. Raises: OSError, ValueError: it was cut off."""
    data = memoryview(bytearray(stop - start))
    file.read([Span(start, [data])])
    return data
