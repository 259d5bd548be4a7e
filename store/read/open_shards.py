"""The open shards of a reader, and which chunks it has checked."""

import resource
import threading

from ..format.layout import Layout
from ..places.protocol import Place
from .mapped import Verified
from .shard_file import ShardFile
from .shard_ids import ShardIds

_MAX_OPEN = 4096
_FILES_EACH = 2
"""A mapped file is open twice."""
_CACHED_IDS = 1024
"""Shards whose token ids stay in memory: 32 KiB each, once as stored and once in one piece."""


class OpenShards:
    """Opens shards on first use; threads may share it."""

    def __init__(self, place: Place, layout: Layout, owner: str, *, always: bool) -> None:
        """Nothing is opened yet.

        Args:
            place: of the store.
            layout: of the store.
            owner: SHA-256 in hex of the manifest that the shards must belong to.
            always: check chunks on every read instead of the first one.
        """
        self._place, self._layout, self._owner, self._always = place, layout, owner, always
        self._lock = threading.Lock()
        # Half of the files that this process may open. A shard that was closed must be opened and
        # checked again, which costs as much as reading a small document.
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        unlimited = allowed == resource.RLIM_INFINITY
        limit = allowed // (2 * _FILES_EACH)
        self._max_open = _MAX_OPEN if unlimited else min(_MAX_OPEN, limit)
        self._open: dict[int, ShardFile] = {}
        self._verified: dict[int, Verified] = {}
        self._ids: dict[int, ShardIds] = {}

    def states(self, shard: int) -> ShardFile:
        """The states of a shard, open.

        Raises:
            OSError: missing or unreadable.
            ValueError: damaged.
        """
        file = self._open.get(shard)
        if file is not None:
            return file
        with self._lock:
            file = self._open.get(shard)  # opened by another thread meanwhile
            if file is not None:
                return file
            grid, name = self._layout.states, self._layout.shard_files(shard)[0]
            verified = self._verified_of(shard)
            file = ShardFile(self._place.open(name), grid, self._owner, shard, verified)
            self._open[shard] = file
            if len(self._open) > self._max_open:
                del self._open[next(iter(self._open))]
        return file

    def token_ids(self, shard: int) -> ShardIds:
        """The token ids of a shard, cached: fetching one document costs as much as fetching all.

        Raises:
            OSError: missing or unreadable.
            ValueError: damaged.
        """
        ids = self._ids.get(shard)
        if ids is None:
            grid, name = self._layout.token_ids, self._layout.shard_files(shard)[1]
            ids = ShardIds(grid, self._owner, shard, self._place.read(name))
            if not self._always:
                with self._lock:
                    self._ids[shard] = ids
                    if len(self._ids) > _CACHED_IDS:
                        del self._ids[next(iter(self._ids))]
        return ids

    def _verified_of(self, shard: int) -> Verified | None:
        if self._always:
            return None
        # Outlives the open file, so that a chunk is checked once per process.
        grid = self._layout.states
        fresh = [bytearray(grid.used_chunks(shard)) for _ in range(grid.columns)]
        return self._verified.setdefault(shard, fresh)
