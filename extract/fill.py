"""From documents to the store: read window by window, written behind the reader."""

from collections.abc import Callable, Iterator, Sequence

import torch

from ..models import DTYPES
from ..store.schema import LayerRecord
from ..store.writer import StoreWriter
from .batches import Batch, Window
from .plan import pending_batches
from .teachers.protocol import StreamingTeacher, Teacher
from .write_behind import WriteBehind


def fill_store(
    writer: StoreWriter,
    teacher: Teacher,
    documents: Sequence[Sequence[int]],
    windows: Sequence[Window],
    pending: frozenset[int],
    on_batch: Callable[[Batch], None],
) -> None:
    """Read what is pending and hand it to the writer, in the order of the store.

    Args:
        writer: entered.
        teacher: one that streams computes the next batch while this one is copied.
        documents: token ids of every document of the corpus.
        windows: how they are read.
        pending: documents to write.
        on_batch: told of every batch that was read.

    Raises:
        LatentcompError: whatever teacher or writer say; what was committed stays.
    """
    layers, dtype = writer.manifest.layers, DTYPES[writer.manifest.dtype]
    batches = pending_batches(windows, pending)
    read = read_batches(teacher, ([documents[i] for i in b.indices] for b in batches), layers)
    with WriteBehind(writer.write) as behind:
        for window in windows:
            states: dict[int, torch.Tensor] = {}
            for batch in pending_batches([window], pending):
                for index, state in zip(batch.indices, next(read), strict=True):
                    if index in pending:
                        states[index] = state.to(dtype)
                on_batch(batch)
            behind.put(states)


def read_batches(
    teacher: Teacher, batches: Iterator[Sequence[Sequence[int]]], layers: Sequence[LayerRecord]
) -> Iterator[list[torch.Tensor]]:
    """The states of one batch after another, streamed where the teacher can."""
    if isinstance(teacher, StreamingTeacher):
        return teacher.stream(batches, layers)
    return (teacher.states(batch, layers) for batch in batches)
