"""What an interrupted verification has checked, so that the next one does not check it again.

It lies in the user's cache folder, since a store has only what was extracted, and may be read-only
or at an address. A shard counts as checked while the file of its states is the one that was
checked (inode, size, and times of which one cannot be set back; at an address its tag) and the
ledger says the same of it. Token ids and statistics are small and always read. A verification that
ends removes its journal: the next one checks everything.
"""

import contextlib
import hashlib
import os
import time

from ...common.cache import cache_folder
from ..format.layout import STATES, Layout
from ..format.shard_table import ShardRecord
from ..places.protocol import Place

SETTLED = 2.0
"""Seconds since its last change after which a file that changes again shows another time."""
LONGEST = 7 * 24 * 3600.0
"""Seconds after which a journal counts no longer."""
EVERY = 1.0
"""Seconds between two writes."""
_VERSION = "latentcomp verify 1"


class VerifyJournal:
    """Which shards of a store have sound states; used by one thread."""

    def __init__(self, store: Place, layout: Layout, owner: str, *, resume: bool) -> None:
        """Look at the store as it is now, and at what an earlier verification has checked of it.

        A folder that cannot be written costs only the resuming.

        Args:
            store: place of the store.
            layout: of the store.
            owner: SHA-256 in hex of its manifest.
            resume: False to forget what was checked before.

        Raises:
            OSError: the store cannot be listed.
        """
        path = store.path if isinstance(store.path, str) else str(store.path.resolve())
        what = f"{path}\n{owner}\n{layout.manifest.corpus_sha256}\n{layout.tokens}"
        identity = hashlib.sha256(what.encode()).hexdigest()
        self._path = cache_folder("verify") / f"{identity[:32]}.txt"
        self._head = f"{_VERSION} {identity}"
        now = time.time()
        self._stamps = {
            file.name: _hash(file.stamp) for file in store.listing(STATES)
            # A file that changes twice within a tick of the clock may show the same time twice.
            if file.changed < now - SETTLED
        }  # fmt: skip
        self._known: dict[int, str] = {}
        with contextlib.suppress(OSError):
            if not resume or now - self._path.stat().st_mtime > LONGEST:
                self._path.unlink()
            self._read()
        self._waiting: list[str] = []
        self._descriptor: int | None = None
        self._written = time.monotonic()

    def holds(self, record: ShardRecord) -> bool:
        """True if the states of this shard were checked before and did not change since."""
        key = self._key(record)
        return key is not None and self._known.get(record.shard) == key

    def add(self, record: ShardRecord) -> None:
        """The states of this shard are sound."""
        key = self._key(record)
        if key is None or self._known.get(record.shard) == key:
            return
        self._waiting.append(_line(f"{record.shard} {key}"))
        if time.monotonic() - self._written >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what was added, so that it outlives this process."""
        with contextlib.suppress(OSError):
            if self._waiting and self._descriptor is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
                self._waiting.insert(0, f"\n{_line(self._head)}")  # ends what was torn, too
            if self._waiting and self._descriptor is not None:
                os.write(self._descriptor, "".join(self._waiting).encode())
        self._waiting = []
        self._written = time.monotonic()

    def close(self, *, finished: bool) -> None:
        """Keep the journal of a verification that was interrupted, remove that of a whole one."""
        if not finished:
            self.flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if finished:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _key(self, record: ShardRecord) -> str | None:
        states, _, sums = record.files
        stamp = self._stamps.get(states.path)
        if stamp is None:
            return None
        return _hash(f"{stamp} {states.bytes} {states.sha256} {sums.sha256} {record.tokens}")

    def _read(self) -> None:
        """Lines that are whole, of this store; torn or changed ones are left out."""
        mine = False
        with self._path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                text, _, check = line.rstrip("\n").rpartition(" ")
                if not text or _line(text) != f"{text} {check}\n":
                    continue
                if text.startswith(_VERSION):
                    mine = text == self._head
                elif mine:
                    shard, _, key = text.partition(" ")
                    self._known[int(shard)] = key


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _line(text: str) -> str:
    return f"{text} {_hash(text)[:16]}\n"
