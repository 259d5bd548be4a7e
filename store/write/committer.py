"""Making shards durable in the background, all that wait for it at once.

A sync waits until the disk has emptied its own cache, whoever filled it, and stops everybody's
writes meanwhile. So one thread syncs; while it waits the next shards are written, and its next
turn takes them all: as many turns as the disk can give, and nobody computes less for them.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from ..places.protocol import Place, Staged


class Committer:
    """Publishes what was staged at a place, in the order in which it was added."""

    def __init__(self, place: Place, most: int) -> None:
        """Start the thread.

        Args:
            place: where.
            most: how many may be waiting, those that are being published included.
        """
        self._place = place
        self._room = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._waiting: list[tuple[Staged, Future[None]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-commit")

    def add(self, staged: Staged) -> Future[None]:
        """Have it published; holds the caller up while too many are waiting.

        Returns:
            done when it is durable, or with the error that prevents it.
        """
        self._room.acquire()
        done: Future[None] = Future()
        with self._lock:
            self._waiting.append((staged, done))
        self._thread.submit(self._publish)
        return done

    def close(self) -> None:
        """Wait until everything that was added is done."""
        self._thread.shutdown(wait=True)

    def _publish(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        if not taken:
            return  # with an earlier turn
        try:
            self._place.publish([staged for staged, _ in taken])
        except BaseException as error:
            # Never tried again: a second sync of the same file says that all is well.
            for _, done in taken:
                done.set_exception(error)
        else:
            for _, done in taken:
                done.set_result(None)
        finally:
            self._room.release(len(taken))
