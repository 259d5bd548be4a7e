"""A batch as its source hands it on: with where its documents are, and whose memory it lies in."""

from dataclasses import dataclass

from .batches import Batch
from .parcel import Parcel
from .slots import Loan


@dataclass(frozen=True, slots=True)
class Borrowed:
    """Memory that a batch lies in and that its owner will use again."""

    parcel: Parcel
    loan: Loan


@dataclass(frozen=True, slots=True)
class IndexedBatch:
    """A batch and where its documents are."""

    batch: Batch
    indices: tuple[int, ...]
    """Of the documents in the store, in the order of the batch."""
    borrowed: Borrowed | None = None
    """Where it lies; None for memory of its own."""
