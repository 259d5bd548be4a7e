"""Reading a store: random access by document, only the requested layers, every chunk checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from ...common.errors import StoreError
from ...common.forks import lazy
from ..format import ledger, seal
from ..format.identity import owner_sha256
from ..format.layout import CHUNKS, DOCUMENTS, MANIFEST, SEAL, Layout, is_store
from ..format.placement import Placement
from ..format.schema import Integers, Manifest
from ..format.seal import Seal
from ..format.shard_table import ShardTable
from ..format.shards import Bytes2D
from ..format.statistics import LayerStatistics
from ..places.open import place_of
from ..places.protocol import Place, UnreachableError, exists
from .document_table import DocumentRow, DocumentTable
from .features import DocumentFeatures
from .fingerprints import Fingerprints, check_tables
from .mapped import ColumnError
from .open_shards import OpenShards


class FeatureStore:
    """A store opened for reading. Threads may share it; spawned workers get their own by pickle
    of the path alone."""

    def __init__(
        self, path: Path | str | Place, *, allow_partial: bool = False, check: str = "first"
    ) -> None:
        """Open a store; the time this takes does not grow with its size.

        Args:
            path: folder or address of the store, such as `s3://bucket/run/store`.
            allow_partial: open a store that is still being written, too, with the documents
                that were committed when it was opened.
            check: `first` checks a chunk's CRC32C when this process first reads it, `always`
                every time.

        Raises:
            StoreError: no store, an unfinished one, or a damaged one.
        """
        if check not in ("first", "always"):
            raise ValueError(f"check must be 'first' or 'always', not {check!r}")
        self._place = place_of(path)
        self.path: Path | str = self._place.path
        """Its folder, or its address."""
        self._arguments = (self.path, allow_partial, check)
        if not is_store(self._place):
            raise StoreError(f"{self.path}: no feature store here: write one with `extract`")
        self.manifest: Manifest = ledger.read_sealed(self._place, MANIFEST, Manifest)
        self.complete: bool = exists(self._place, SEAL)
        """True if the store is finished."""
        if not self.complete and seal.is_lost(self._place):
            raise seal.lost(self._place)
        if not self.complete and not allow_partial:
            raise StoreError(
                f"{self.path}: this store is not finished: run the same `extract` command again"
            )
        self._table = DocumentTable(self._place, hashes=not self.complete)
        self._columns = {layer.blocks_completed: i for i, layer in enumerate(self.manifest.layers)}
        self._open_complete() if self.complete else self._open_partial()
        owner, always = owner_sha256(self.manifest), check == "always"
        fingerprints = Fingerprints(self._place, self._sealed or self._records)
        self._shards = OpenShards(self._place, self._layout, owner, fingerprints, always=always)

    def __reduce__(self) -> tuple[Callable[..., FeatureStore], tuple[Path | str, bool, str]]:
        return _reopen, self._arguments

    def __len__(self) -> int:
        return self._table.documents if self._visible is None else len(self._visible)

    @property
    def layers(self) -> tuple[int, ...]:
        """`blocks_completed` of every stored layer, ascending."""
        return tuple(self._columns)

    @lazy
    def statistics(self) -> tuple[LayerStatistics, ...]:
        """One per layer, over the shards that are readable; empty if there are none.

        Of an unfinished store they are read on first use, a file a shard. Raises: StoreError.
        """
        if self._sealed:
            return self._sealed.statistics
        return seal.combine(self._place, self._layout, self._records) if self._records else ()

    @lazy
    def document_ids(self) -> tuple[str, ...]:
        """Id of every document, in the order of the store. Raises: StoreError."""
        ids = self._table.document_ids
        return ids if self._visible is None else tuple(ids[i] for i in self._visible)

    @lazy
    def lengths(self) -> Integers:
        """[documents] tokens of every document. Raises: StoreError."""
        lengths = self._table.lengths
        return lengths if self._visible is None else lengths[self._visible]

    @lazy
    def starts(self) -> Integers:
        """[documents] first token of every document; equal ones share it. Raises: StoreError."""
        starts = self._table.starts
        return starts if self._visible is None else starts[self._visible]

    @property
    def tokens(self) -> int:
        """Length of the token axis, uncommitted tokens included."""
        return self._layout.tokens

    def order(self, seed: int, epoch: int) -> Integers:
        """[documents] a permutation of the documents: the same for the same seed and epoch,
        on any machine and numpy version."""
        words = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(len(self))
        return np.argsort(words, kind="stable").astype(np.int64)

    def days(self, index: int) -> tuple[int | None, ...]:
        """Day of every chunk of a document, None where the source had none. Raises: StoreError."""
        return self._row(index).exact_days

    def read(self, index: int, layers: Sequence[int] | None = None) -> DocumentFeatures:
        """One document.

        Args:
            index: of the document, 0 .. len - 1.
            layers: which layers, by blocks completed, in the order wanted; None for all.

        Raises:
            StoreError: a layer is not in the store; data is missing or damaged (names document,
                layer and shard).
            IndexError: no such document.
        """
        row = self._row(index)
        wanted = self.layers if layers is None else tuple(layers)
        what = f"document {row.document_id!r}"
        return DocumentFeatures(
            document_id=row.document_id,
            states=self._states(row.first_token, row.tokens, wanted, what),
            token_ids=self._token_ids(row),
            spans=row.spans,
            days=row.days,
            buckets=row.buckets,
        )

    def read_tokens(
        self, start: int, stop: int, layers: Sequence[int] | None = None
    ) -> torch.Tensor:
        """States of tokens [start, stop), across documents: [stop - start, layers, hidden].

        Documents lie at `starts` and have `lengths` tokens; layers and errors are as in `read`.

        Raises:
            StoreError: missing or damaged data, or a layer that is not in the store.
            IndexError: beyond the end.
        """
        if not 0 <= start < stop <= self._layout.tokens:
            raise IndexError(f"tokens {start} .. {stop} of {self._layout.tokens}")
        wanted = self.layers if layers is None else tuple(layers)
        return self._states(start, stop - start, wanted, f"tokens {start} .. {stop - 1}")

    def _row(self, index: int) -> DocumentRow:
        if not 0 <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return self._table.row(index if self._visible is None else int(self._visible[index]))

    def _states(self, start: int, tokens: int, layers: tuple[int, ...], what: str) -> torch.Tensor:
        grid, form = self._layout.states, self._layout.encoding
        columns = [self._column(layer) for layer in layers]
        if start + tokens > self._layout.tokens:
            raise ledger.damaged(self._place, DOCUMENTS, f"{what} ends behind the last token")
        try:
            out = np.empty((len(columns), tokens * grid.row_bytes), np.uint8)
        except (MemoryError, ValueError) as error:
            size = len(columns) * tokens * grid.row_bytes / 1e9
            raise StoreError(
                f"{self.path}: {what} has {size:,.1f} GB of states, more than the memory: name "
                "fewer layers, or read parts with read_tokens"
            ) from error
        if columns:
            self._fill(columns, start, out, what)
        rows = out.reshape(len(columns), tokens, grid.row_bytes)
        return form.to_tensor(rows).permute(1, 0, 2)

    def _column(self, layer: int) -> int:
        column = self._columns.get(layer)
        if column is None:
            raise StoreError(
                f"{self.path}: no layer after {layer} blocks in this store: "
                f"it has {', '.join(map(str, self.layers))}"
            )
        return column

    def _token_ids(self, row: DocumentRow) -> torch.Tensor:
        size, stop = self.manifest.shard_tokens, row.first_token + row.tokens
        parts = []
        for shard in range(row.first_token // size, (stop - 1) // size + 1):
            first = shard * size
            try:
                ids = self._shards.token_ids(shard)
                low, high = max(row.first_token - first, 0), min(stop - first, size)
                parts.append(ids.read(low, high))
            except (OSError, ValueError) as error:
                where = f"document {row.document_id!r}, token ids, shard {shard}"
                raise self._damaged(where, error) from error
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        # Nothing binds the records of an unfinished store to its documents but their tokens.
        digest = row.tokens_sha256
        if digest and hashlib.sha256(whole.astype("<u4").tobytes()).hexdigest() != digest:
            where = f"document {row.document_id!r}, token ids"
            raise ledger.damaged(self._place, where, "they are those of another document")
        return torch.from_numpy(whole)

    def _fill(self, columns: list[int], start: int, out: Bytes2D, what: str) -> None:
        """Fill `out` [columns, bytes of the rows] with rows from `start` on, shard by shard."""
        grid = self._layout.states
        done, tokens = 0, out.shape[1] // grid.row_bytes
        while done < tokens:
            shard, within = divmod(start + done, grid.shard_tokens)
            rows = min(tokens - done, grid.shard_tokens - within)
            part = out[:, done * grid.row_bytes : (done + rows) * grid.row_bytes]
            try:
                self._shards.states(shard).read_rows(columns, within, part)
            except (OSError, ValueError) as error:
                column = error.column if isinstance(error, ColumnError) else columns[0]
                where = f"{what}, layer after {self.layers[column]} blocks, shard {shard}"
                raise self._damaged(where, error) from error
            done += rows

    def _damaged(self, where: str, error: Exception) -> StoreError:
        if isinstance(error, UnreachableError):
            return StoreError(f"{self.path}: {where}: {error.strerror}: {error.step} and run again")
        return ledger.damaged(self._place, where, getattr(error, "strerror", None) or str(error))

    def _open_complete(self) -> None:
        sealed = seal.read_seal(self._place)
        self._layout = Layout(self.manifest, sealed.tokens)
        self._visible: Integers | None = None
        self._sealed: Seal | None = sealed
        check_tables(self._place, sealed)
        if sealed.shards != self._layout.shards:
            raise ledger.damaged(self._place, SEAL, "another number of shards than of tokens")
        if sealed.documents != self._table.documents:
            raise ledger.damaged(self._place, DOCUMENTS, "another number of documents")
        if sealed.chunks != self._table.chunks:
            raise ledger.damaged(self._place, CHUNKS, "another number of chunks")

    def _open_partial(self) -> None:
        self._layout = Layout(self.manifest, self._table.tokens)
        try:
            records = ledger.committed(self._place)
        except StoreError:
            if not exists(self._place, SEAL):
                raise
            records = ShardTable()
        if exists(self._place, SEAL):  # sealed in between, and the records removed
            self.complete = True
            self._table = DocumentTable(self._place)
            self._open_complete()
            return
        # A store that is being extended has a short shard, readable once it is longer.
        for shard in list(records):
            if records.tokens(shard) != self._layout.states.shard_length(shard):
                del records[shard]
        committed = np.zeros(self._layout.shards, np.int64)
        committed[list(records)] = [records.tokens(shard) for shard in records]
        starts, stops = self._table.starts, self._table.starts + self._table.lengths
        everything = np.arange(len(starts))
        placement = Placement(starts, stops, everything, self.manifest.shard_tokens)
        self._visible = placement.covered(committed)
        self._sealed, self._records = None, records


def _reopen(path: Path | str, allow_partial: bool, check: str) -> FeatureStore:
    return FeatureStore(path, allow_partial=allow_partial, check=check)
