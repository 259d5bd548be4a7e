"""Full shards on their way to the disk: encoded and written by threads, then committed."""

from collections import deque
from collections.abc import Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ...common.errors import StoreError
from ...common.threads import cores
from ..format import ledger
from ..format.documents import Documents
from ..format.dtypes import Bits
from ..format.layout import Layout
from ..format.placement import Placement, tokens_between
from ..format.schema import Integers
from ..places.protocol import Place
from .commit import NotFiniteError, stage_shard
from .committer import Committer

BACKLOG = 4
"""Shards that are written and wait to become durable; each occupies the system's page cache."""


def default_encoders() -> int:
    """Shards that a writer encodes concurrently by default.

    A fast teacher keeps several cores busy with encoding, and each shard takes its memory.
    """
    return max(2, min(4, cores() // 2))


def max_in_flight() -> int:
    """Full shards that such a writer has accepted and that may not be durable yet."""
    return default_encoders() + BACKLOG


@dataclass(frozen=True, slots=True)
class _Encoding:
    """A shard that is being written."""

    shard: int
    task: Future[Future[None]]
    """Done when the shard is written; its result is done when the shard is durable."""
    buffer: Bits


class ShardPipeline:
    """Encodes and writes a bounded number of shards in the background, then commits them.

    A slow disk blocks `submit`, so that memory stays at `encoders` buffers and one more.
    """

    def __init__(
        self,
        place: Place,
        layout: Layout,
        documents: Documents,
        placement: Placement,
        committed: Integers,
        recorded: Set[int],
        encoders: int,
    ) -> None:
        """Start the threads.

        Args:
            place: of the store.
            layout: of the store.
            documents: every document.
            placement: of the documents.
            committed: [shards] committed tokens of every shard; kept up to date.
            recorded: shards of this writer that have a record, of a shorter version if they are
                written.
            encoders: shards that are encoded and written concurrently.
        """
        self._place, self._layout = place, layout
        self._documents, self._placement = documents, placement
        self._committed = committed
        self._recorded, self._encoders = recorded, encoders
        self._encodings: deque[_Encoding] = deque()
        self._written: deque[tuple[int, Future[None]]] = deque()
        self._committer = Committer(place, BACKLOG)
        self._pool = ThreadPoolExecutor(encoders, thread_name_prefix="store-encode")

    def allocate(self) -> Bits:
        """A new buffer [layers, rows, hidden] for one shard."""
        grid = self._layout.states
        rows = min(grid.shard_tokens, -(-grid.tokens // grid.chunk_tokens) * grid.chunk_tokens)
        shape = (grid.columns, rows, self._layout.hidden)
        return np.empty(shape, self._layout.dtype.numpy)

    def submit(self, shard: int, buffer: Bits) -> Bits:
        """Write a full shard; blocks while `encoders` others are being written.

        Returns:
            a free buffer for the next shard.

        Raises:
            StoreError: an earlier shard has a state that is NaN or infinite, or the disk failed.
        """
        task = self._pool.submit(self._write_shard, shard, buffer)
        self._encodings.append(_Encoding(shard, task, buffer))
        return self._wait_oldest() if len(self._encodings) > self._encoders else self.allocate()

    def close(self) -> None:
        """Wait until everything submitted is durable or has failed; errors are in `check`."""
        self._pool.shutdown(wait=True)
        self._committer.close()

    def check(self) -> None:
        """Record what has become durable, after `close`. Raises: StoreError, as in `submit`."""
        while self._encodings:
            self._wait_oldest()

    def _wait_oldest(self) -> Bits:
        """Wait until the oldest shard is written, record durable ones, and raise their errors.

        Returns:
            the buffer of the oldest shard, free again.
        """
        encoding = self._encodings.popleft()
        self._written.append((encoding.shard, encoding.task.result()))
        while self._written and self._written[0][1].done():
            shard, durable = self._written.popleft()
            durable.result()
            self._committed[shard] = self._layout.states.shard_length(shard)
        return encoding.buffer

    def _write_shard(self, shard: int, buffer: Bits) -> Future[None]:
        start = shard * self._layout.manifest.shard_tokens
        stop = start + self._layout.states.shard_length(shard)
        ids = tokens_between(self._documents, self._placement, start, stop)
        if shard in self._recorded:
            ledger.retract(self._place, shard)
        try:
            staged = stage_shard(self._place, self._layout, shard, buffer, ids)
        except NotFiniteError as error:
            raise self._not_finite(error.column, start + error.row) from error
        return self._committer.add(staged)

    def _not_finite(self, column: int, token: int) -> StoreError:
        manifest = self._layout.manifest
        name = self._documents[self._placement.own_index(token)].document_id
        return StoreError(
            f"{self._place}: document {name!r}, layer after "
            f"{manifest.layers[column].blocks_completed} blocks: a state is NaN or infinite "
            f"in {manifest.dtype}: check the teacher's dtype and weights"
        )
