"""Group commit: one thread makes all waiting shards durable together.

An fsync waits until the disk has flushed its cache, including the writes of other processes, and
blocks writes meanwhile. So a single thread syncs; shards that are written while it waits are
published together in its next turn, and no other thread is blocked.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from ..places.protocol import Place, Staged


class Committer:
    """Publishes staged files of a place, in the order in which they were added."""

    def __init__(self, place: Place, capacity: int) -> None:
        """Start the thread.

        Args:
            place: where shards are published.
            capacity: shards that may wait, those being published included.
        """
        self._place = place
        self._slots = threading.Semaphore(capacity)
        self._lock = threading.Lock()
        self._waiting: list[tuple[Staged, Future[None]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-commit")

    def add(self, staged: Staged) -> Future[None]:
        """Queue staged files for publication; blocks while `capacity` are waiting.

        Returns:
            done when they are durable, or failed with the error.
        """
        self._slots.acquire()
        done: Future[None] = Future()
        with self._lock:
            self._waiting.append((staged, done))
        self._thread.submit(self._publish)
        return done

    def close(self) -> None:
        """Wait until everything that was added is published or has failed."""
        self._thread.shutdown(wait=True)

    def _publish(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        if not taken:
            return  # published by an earlier turn
        try:
            self._place.publish([staged for staged, _ in taken])
        except BaseException as error:
            # Never retried: after a failed fsync the next one succeeds although data is lost.
            for _, done in taken:
                done.set_exception(error)
        else:
            for _, done in taken:
                done.set_result(None)
        finally:
            self._slots.release(len(taken))
