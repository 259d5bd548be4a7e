"""Thirds of a document: early, middle and late, in the corpus, in the store and in scores."""

from typing import Literal

Bucket = Literal["early", "middle", "late"]
BUCKETS: tuple[Bucket, ...] = ("early", "middle", "late")


def bucket_of(chunk_index: int, chunks: int) -> Bucket:
    """Third of a document that a chunk lies in: early, middle or late.

    Raises:
        ValueError: the index is not within 0 .. chunks - 1.
    """
    if not 0 <= chunk_index < chunks:
        raise ValueError(f"chunk {chunk_index} of a document with {chunks} chunks")
    return BUCKETS[3 * chunk_index // chunks]
