"""Writing a store: whole shards, each durable before the ledger says so."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from ..errors import StoreError
from . import ledger, seal, statistics, tables
from .atomic import make_folder, remove_partials, write_json, write_parts
from .dtypes import Bits
from .layout import LOCK, MANIFEST, SEAL, TOKEN_SENTINEL, Layout, is_store
from .ledger import FileRecord, ShardRecord
from .lock import Lock
from .schema import DocumentEntry, Manifest
from .shards import encode_shard


class StoreWriter:
    """Writes the states of documents, in order, into a store that can be killed and resumed.

    Use it as a context manager: entering locks the folder and writes what is known beforehand,
    leaving commits what is left and seals the store once every shard is there. One shard is
    encoded and written in the background while the next one fills; a slow disk holds `write` up,
    so memory stays at two shards.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        entries: Sequence[DocumentEntry],
        *,
        name: str = "latentcomp extract",
    ) -> None:
        """Check the request against what lies at `path`; nothing is written yet.

        Args:
            path: folder of the store, new, empty, or begun by the same request.
            manifest: what the store holds.
            entries: every document, in the order of the store.
            name: who writes, for the message to a second writer.

        Raises:
            StoreError: no documents; `path` is something else, or a store of another teacher,
                layers, dtype, corpus and so on (names the field and both values).
        """
        self.path = Path(path)
        self.manifest = manifest
        self._name = name
        self._entries = tables.check_entries(entries)
        self._bounds = np.cumsum([0, *(len(entry.token_ids) for entry in self._entries)])
        self._layout = Layout(manifest, int(self._bounds[-1]))
        self._owner = manifest_sha256(manifest)
        self._committed: set[int] = set()
        self._todo: tuple[int, ...] = ()
        self._next = 0
        self._commit: tuple[int, Future[None]] | None = None
        self._buffers: list[Bits] = []
        check_same(self.path, manifest)
        self._load()

    def __enter__(self) -> Self:
        make_folder(self.path)
        self._lock = Lock(self.path / LOCK, self._name)
        try:
            check_same(self.path, self.manifest)
            remove_partials(self.path)
            self._prepare()
            self._load()
            self._buffers = self._allocate()
        except BaseException:
            self._lock.release()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-commit")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._thread.shutdown(wait=True)
            if kind is None:
                self._settle()
                if self.complete:
                    self._finish()
        finally:
            self._lock.release()

    @property
    def complete(self) -> bool:
        """True if every shard is committed."""
        return len(self._committed) == self._layout.shards

    def pending(self) -> tuple[int, ...]:
        """Indices of the entries that are not yet safely on the disk, ascending.

        After a kill these are all documents that touch an uncommitted shard, so a document may
        be wanted again although an earlier part of it is already committed.
        """
        missing = np.ones(self._layout.shards, np.int64)
        missing[sorted(self._committed)] = 0
        before = np.cumsum([0, *missing])
        first = self._bounds[:-1] // self.manifest.shard_tokens
        last = (self._bounds[1:] - 1) // self.manifest.shard_tokens
        return tuple(np.flatnonzero(before[last + 1] - before[first]).tolist())

    def write(self, index: int, states: torch.Tensor) -> None:
        """Add the states of the next pending document.

        Args:
            index: of the entry; ascending from call to call, none of `pending()` left out.
            states: [tokens, layers, hidden], layers as in the manifest, any floating type and
                device; rounded to the manifest's dtype if it is another one.

        Raises:
            StoreError: a value is NaN or infinite (names document and layer); the disk is full.
            ValueError: out of order, or of another shape.
        """
        if self._next >= len(self._todo) or index != self._todo[self._next]:
            raise ValueError(f"document {index} is not the next one of pending()")
        self._next += 1
        entry = self._entries[index]
        shape = (len(entry.token_ids), len(self.manifest.layers), self._layout.hidden)
        if tuple(states.shape) != shape:
            raise ValueError(f"states of {entry.document_id!r}: {tuple(states.shape)} != {shape}")
        bits = self._layout.dtype.to_bits(states)
        self._check_finite(entry.document_id, bits)
        for piece in self._pieces(index):
            self._place(piece, bits)

    def _check_finite(self, document_id: str, bits: Bits) -> None:
        if self._layout.dtype.all_finite(bits):
            return
        for column, layer in enumerate(self.manifest.layers):
            if not self._layout.dtype.all_finite(bits[:, column]):
                raise StoreError(
                    f"{self.path}: document {document_id!r}, layer after "
                    f"{layer.blocks_completed} blocks: a state is NaN or infinite in "
                    f"{self.manifest.dtype}: check the teacher's dtype and weights"
                )

    def _pieces(self, index: int) -> Iterator["_Piece"]:
        size = self.manifest.shard_tokens
        start, stop = int(self._bounds[index]), int(self._bounds[index + 1])
        for shard in range(start // size, (stop - 1) // size + 1):
            low, high = max(start, shard * size), min(stop, (shard + 1) * size)
            yield _Piece(shard, low - start, low - shard * size, high - low)

    def _place(self, piece: "_Piece", bits: Bits) -> None:
        if piece.shard in self._committed:
            return
        source = bits[piece.source : piece.source + piece.tokens]
        end = piece.target + piece.tokens
        buffer = self._buffers[0]
        buffer[:, piece.target : end] = source.transpose(1, 0, 2)
        if end == self._layout.states.shard_length(piece.shard):
            self._settle()
            task = self._thread.submit(self._commit_shard, piece.shard, buffer)
            self._commit = (piece.shard, task)
            self._buffers.reverse()

    def _settle(self) -> None:
        """Wait for the shard in the background; its error, if any, surfaces here."""
        if self._commit is not None:
            (shard, task), self._commit = self._commit, None
            task.result()
            self._committed.add(shard)

    def _commit_shard(self, shard: int, buffer: Bits) -> None:
        grid = self._layout.states
        length, first = grid.shard_length(shard), shard * grid.shard_tokens
        rows = grid.used_chunks(shard) * grid.chunk_tokens
        buffer[:, length:rows] = self._layout.dtype.sentinel
        columns = [column[:rows].view(np.uint8) for column in buffer]
        sums = statistics.partial(self._layout.dtype, buffer[:, :length])
        contents = (
            encode_shard(grid, self._owner, shard, columns),
            self._encode_tokens(shard, first, length, rows),
            (statistics.encode(sums),),
        )
        files = tuple(
            self._write(name, parts)
            for name, parts in zip(self._layout.shard_files(shard), contents, strict=True)
        )
        record = ShardRecord(shard=shard, first_token=first, tokens=length, files=files)
        ledger.write_sealed(ledger.record_path(self.path, shard), record)

    def _encode_tokens(self, shard: int, first: int, length: int, rows: int) -> Iterator[bytes]:
        ids = np.full(rows, TOKEN_SENTINEL, "<u4")
        ids[:length] = self._tokens(first, first + length)
        column = ids.view(np.uint8).reshape(rows, 4)
        return encode_shard(self._layout.token_ids, self._owner, shard, [column])

    def _tokens(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        low = int(np.searchsorted(self._bounds, start, side="right")) - 1
        high = int(np.searchsorted(self._bounds, stop, side="left"))
        ids = np.concatenate([entry.token_ids for entry in self._entries[low:high]])
        offset = int(self._bounds[low])
        return ids[start - offset : stop - offset]

    def _write(self, name: str, parts: Iterable[bytes]) -> FileRecord:
        written = write_parts(self.path / name, parts)
        return FileRecord(path=name, bytes=written.bytes, sha256=written.sha256)

    def _prepare(self) -> None:
        """Write everything that is known before the first state; the manifest first."""
        if not is_store(self.path):
            ledger.write_sealed(self.path / MANIFEST, self.manifest)
        tables.write_tables(self.path, self._entries)
        for name, content in self._layout.metadata().items():
            if not (self.path / name).exists():
                write_json(self.path / name, content)

    def _load(self) -> None:
        """Read the ledger, and start from what it says."""
        sealed = (self.path / SEAL).exists()
        records = ledger.read_table(self.path) if sealed else ledger.committed(self.path)
        for record in records.values():
            self._check_files(record)
        self._committed = set(records)
        self._todo = self.pending()
        self._next = 0

    def _allocate(self) -> list[Bits]:
        grid = self._layout.states
        rows = min(grid.shard_tokens, -(-grid.tokens // grid.chunk_tokens) * grid.chunk_tokens)
        shape = (grid.columns, rows, self._layout.hidden)
        return [np.empty(shape, self._layout.dtype.numpy) for _ in range(2)]

    def _check_files(self, record: ShardRecord) -> None:
        for file in record.files:
            path = self.path / file.path
            size = path.stat().st_size if path.exists() else None
            if size != file.bytes:
                found = "is missing" if size is None else f"has {size} of {file.bytes} bytes"
                raise StoreError(
                    f"{path}: shard {record.shard} was committed but its file {found}: "
                    "delete the store and extract again"
                )

    def _finish(self) -> None:
        if (self.path / SEAL).exists():
            seal.remove_records(self.path)
            return
        chunks = sum(len(entry.days) for entry in self._entries)
        seal.write_seal(self.path, self._layout, len(self._entries), chunks)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The part of a document that lies in one shard."""

    shard: int
    source: int
    """First token within the document."""
    target: int
    """First token within the shard."""
    tokens: int


def manifest_sha256(manifest: Manifest) -> str:
    """SHA-256 in hex of a manifest's canonical JSON: the owner named in every shard."""
    return hashlib.sha256(ledger.sealed_text(manifest).encode()).hexdigest()


def check_same(path: Path, manifest: Manifest) -> None:
    """Make sure that a store at `path`, if there is one, is of this very manifest.

    Raises:
        StoreError: it differs (names the first field and both values), or `path` holds
            something that is no store.
    """
    if not is_store(path):
        strangers = [p.name for p in path.iterdir()] if path.is_dir() else []
        strangers = sorted(name for name in strangers if not name.startswith("."))
        if strangers or path.is_file():
            what = f"holds {strangers[0]!r}" if strangers else "is a file"
            raise StoreError(f"{path}: {what}, so it is no feature store: choose an empty folder")
        return
    found = _flat(ledger.read_sealed(path / MANIFEST, Manifest).model_dump(mode="json"))
    asked = _flat(manifest.model_dump(mode="json"))
    for field, value in asked.items():
        if found.get(field) != value:
            raise StoreError(
                f"{path}: this store has {field} = {found.get(field)!r}, but {value!r} was asked "
                "for: choose another folder, or delete this one"
            )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
