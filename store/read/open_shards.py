"""The open shards of a reader, and which chunks it has checked."""

import errno
import os
import resource
import weakref
from collections.abc import Callable
from typing import TypeVar

from ...common.forks import ForkLock
from ..format.layout import Layout
from ..places.protocol import Place
from .fingerprints import Fingerprints
from .mapped import Verified
from .shard_file import ShardFile
from .shard_ids import ShardIds

_MAX_OPEN = 4096
_FILES_EACH = 2
"""A mapped file is open twice."""
_CACHED_IDS = 1024
"""Shards whose token ids stay in memory: 32 KiB each, once as stored and once in one piece."""

ValueT = TypeVar("ValueT")
_readers: "weakref.WeakSet[OpenShards]" = weakref.WeakSet()
_opening = ForkLock()
"""Held while a shard of any store of this process is opened."""


class OpenShards:
    """Opens shards on first use; threads may share it."""

    def __init__(
        self,
        place: Place,
        layout: Layout,
        owner: str,
        fingerprints: Fingerprints,
        *,
        always: bool,
    ) -> None:
        """Nothing is opened yet.

        Args:
            place: of the store.
            layout: of the store.
            owner: SHA-256 in hex of the manifest that the shards must belong to.
            fingerprints: of the shards that were committed.
            always: check chunks on every read instead of the first one. So it is done at an
                address in any case: nothing tells there that an object was replaced meanwhile.
        """
        self._place, self._layout, self._owner = place, layout, owner
        self._fingerprints = fingerprints
        self._always = always
        self._checks_again = always or isinstance(place.path, str)
        self._open: dict[int, ShardFile] = {}
        self._verified: dict[int, Verified] = {}
        self._ids: dict[int, ShardIds] = {}
        _readers.add(self)

    def states(self, shard: int) -> ShardFile:
        """The states of a shard, open; opened again if it was written to meanwhile.

        Raises:
            OSError: missing or unreadable.
            ValueError: damaged, or not the shard that was committed.
        """
        file = self._open.get(shard)
        if file is not None and not file.changed():
            return file
        with _opening:
            if file is not None and self._open.get(shard) is file:  # it has changed
                del self._open[shard]
                self._verified.pop(shard, None)
            file = self._open.get(shard)  # opened by another thread meanwhile
            if file is None:
                file = self._open[shard] = _with_few_files(lambda: self._states(shard))
                _close_beyond(_allowed())
        return file

    def token_ids(self, shard: int) -> ShardIds:
        """The token ids of a shard, cached: fetching one document costs as much as fetching all.

        Raises:
            OSError: missing or unreadable.
            ValueError: damaged, or not the shard that was committed.
        """
        ids = self._ids.get(shard)
        if ids is None:
            grid, name = self._layout.token_ids, self._layout.shard_files(shard)[1]
            expected = self._fingerprints.token_ids(shard)
            data = _with_few_files(lambda: self._place.read(name))
            ids = ShardIds(grid, self._owner, shard, data, expected)
            if not self._always:
                with _opening:
                    self._ids[shard] = ids
                    if len(self._ids) > _CACHED_IDS:
                        del self._ids[next(iter(self._ids))]
        return ids

    def close_oldest(self) -> None:
        """Close the shard that has been open for the longest time."""
        del self._open[next(iter(self._open))]

    def __len__(self) -> int:
        return len(self._open)

    def _states(self, shard: int) -> ShardFile:
        grid, name = self._layout.states, self._layout.shard_files(shard)[0]
        expected = self._fingerprints.states(shard)
        verified = self._verified_of(shard)
        return ShardFile(self._place.open(name), grid, self._owner, shard, verified, expected)

    def _verified_of(self, shard: int) -> Verified | None:
        if self._checks_again:
            return None
        # Outlives the open file, so that a chunk is checked once per process.
        grid = self._layout.states
        fresh = [bytearray(grid.used_chunks(shard)) for _ in range(grid.columns)]
        return self._verified.setdefault(shard, fresh)


def _allowed() -> int:
    """Shards that all stores of this process together keep open: half of the files it may open.

    A shard that was closed must be opened and checked again, which costs as much as reading a
    small document.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return _MAX_OPEN
    return max(1, min(_MAX_OPEN, limit // (2 * _FILES_EACH)))


def _close_beyond(allowed: int) -> None:
    """Close shards, of the store with most of them, until so many are open in this process."""
    while sum(map(len, _readers)) > allowed:
        max(_readers, key=len).close_oldest()


def _with_few_files(open_: Callable[[], ValueT]) -> ValueT:
    """What a function returns that opens a file; once more with fewer files open, if it must.

    Raises:
        OSError: it cannot be opened; with what to do if this process has too many files open.
    """
    try:
        return open_()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    _close_beyond(sum(map(len, _readers)) // 2)
    try:
        return open_()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        reason = f"{os.strerror(errno.EMFILE)}: this process may open {limit}; see `ulimit -n`"
        raise OSError(errno.EMFILE, reason) from error
