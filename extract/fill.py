"""Reading the pending documents window by window and writing their states."""

from collections.abc import Callable, Iterator, Sequence, Set

import torch

from ..common.threads import short_switch_interval
from ..store.format.schema import LayerRecord
from .batches import DocumentBatch, Window
from .plan import pending_batches
from .teachers.protocol import StreamingTeacher, Teacher
from .write_behind import WriteBehind

Write = Callable[[int, torch.Tensor], None]


def fill_store(
    write: Write,
    teacher: Teacher,
    documents: Sequence[Sequence[int]],
    windows: Sequence[Window],
    pending: Set[int],
    layers: Sequence[LayerRecord],
    dtype: torch.dtype,
    on_batch: Callable[[DocumentBatch], None],
) -> None:
    """Read the pending documents and write their states in the order of the store.

    A streaming teacher computes the next batch while the last one is copied and written; with
    any other, reading and writing alternate.

    Args:
        write: takes index and states of a document, ascending.
        teacher: reads the documents.
        documents: token ids of every document of the corpus.
        windows: of the whole corpus.
        pending: documents to write.
        layers: to read.
        dtype: in which the states are kept.
        on_batch: called after every batch.

    Raises:
        LatentcompError: from the teacher or the writer; committed shards stay.
    """
    if not isinstance(teacher, StreamingTeacher):
        batches = pending_batches(windows, pending)
        read = (teacher.states([documents[i] for i in b.indices], layers) for b in batches)
        for states in _windows(read, windows, pending, dtype, on_batch):
            for index in sorted(states):
                write(index, states.pop(index))
        return
    batches_ahead = ([documents[i] for i in b.indices] for b in pending_batches(windows, pending))
    with short_switch_interval(), WriteBehind(write) as behind:
        stream = teacher.stream(batches_ahead, layers)
        for states in _windows(stream, windows, pending, dtype, on_batch):
            behind.put(states)


def _windows(
    read: Iterator[list[torch.Tensor]],
    windows: Sequence[Window],
    pending: Set[int],
    dtype: torch.dtype,
    on_batch: Callable[[DocumentBatch], None],
) -> Iterator[dict[int, torch.Tensor]]:
    """States by document index, for the pending documents of each window."""
    for window in windows:
        states: dict[int, torch.Tensor] = {}
        for batch in pending_batches([window], pending):
            for index, state in zip(batch.indices, next(read), strict=True):
                if index in pending:
                    states[index] = state.to(dtype)
            on_batch(batch)
        if states:
            yield states
