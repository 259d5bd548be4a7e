"""Documents in shuffled or stored order, endlessly, read ahead in threads, resumed exactly."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from .features import DocumentFeatures
from .reader import FeatureStore
from .schema import Integers


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One document of a stream."""

    position: int
    """Of this rank, counted over all epochs: give `position + 1` to go on behind it."""
    epoch: int
    index: int
    """Of the document in the store."""
    features: DocumentFeatures


class DocumentStream(IterableDataset[StreamItem]):
    """Epoch after epoch of a store, each rank its own share, each worker its own share of that.

    The order depends on seed, rank and world alone, not on workers or threads. Every document
    comes once an epoch; ranks whose share is shorter begin the next epoch earlier.
    """

    def __init__(
        self,
        store: FeatureStore,
        *,
        seed: int,
        layers: Sequence[int] | None = None,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        position: int = 0,
        epochs: int | None = None,
        ahead: int = 8,
        threads: int = 2,
    ) -> None:
        """Describe a stream; nothing is read yet.

        Args:
            store: what to read.
            seed: of the order.
            layers: as in `FeatureStore.read`.
            shuffle: False keeps the order of the store in every epoch.
            rank: of this process among `world`.
            world: processes that share the store out.
            position: of this rank, where to begin; see `StreamItem.position`.
            epochs: stop after so many; None never stops.
            ahead: documents read before they are asked for; 0 reads in the caller's thread.
            threads: that read ahead.

        Raises:
            ValueError: fewer documents than processes.
        """
        if not 0 <= rank < world <= len(store):
            raise ValueError(f"rank {rank} of {world} for {len(store)} documents")
        self._store, self._seed, self._layers = store, seed, layers
        self._shuffle, self._rank, self._world = shuffle, rank, world
        self._position, self._epochs = position, epochs
        self._ahead, self._threads = ahead, threads

    def __iter__(self) -> Iterator[StreamItem]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        places = self._places(self._position + worker, workers)
        if not self._ahead:
            yield from (self._read(*place) for place in places)
            return
        waiting: deque[Future[StreamItem]] = deque()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="store-read")
        try:
            for place in places:
                waiting.append(pool.submit(self._read, *place))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _places(self, position: int, step: int) -> Iterator[tuple[int, int, int]]:
        """Position, epoch and document of every item, without end or up to the last epoch."""
        share = len(range(self._rank, len(self._store), self._world))
        known, order = -1, np.zeros(0, np.int64)
        while True:
            epoch, place = divmod(position, share)
            if self._epochs is not None and epoch >= self._epochs:
                return
            if epoch != known:
                known, order = epoch, self._order(epoch)
            yield position, epoch, int(order[place])
            position += step

    def _order(self, epoch: int) -> Integers:
        everything = (
            self._store.order(self._seed, epoch) if self._shuffle else np.arange(len(self._store))
        )
        return everything[self._rank :: self._world]

    def _read(self, position: int, epoch: int, index: int) -> StreamItem:
        return StreamItem(position, epoch, index, self._store.read(index, self._layers))
