"""Parquet files as bytes: zstd, page checksums, every table a row group of its own."""

import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_bytes(groups: Iterable[pa.Table]) -> memoryview:
    """A whole file in memory."""
    return memoryview(b"".join(parquet_parts(groups)))


def parquet_parts(groups: Iterable[pa.Table]) -> Iterator[bytes]:
    """The bytes of a file piece by piece: one row group is in memory at a time."""
    sink = _Sink()
    remaining = iter(groups)
    first = next(remaining)
    with pq.ParquetWriter(
        sink, first.schema, compression="zstd", write_page_checksum=True
    ) as writer:
        for group in itertools.chain([first], remaining):
            writer.write_table(group, row_group_size=max(1, len(group)))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is only written, whose bytes are taken from time to time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:  # noqa: ANN401  any buffer
        self._parts.append(bytes(data))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        """What was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
