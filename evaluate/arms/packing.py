"""Chunks of a document as text, at most as many tokens as the document has latents."""

from collections.abc import Sequence

from ...corpus.records import CHUNK_SEPARATOR, Chunk, Document
from ...models.loading import CausalLM
from ...reasoner.generate import Prefix
from .text import embed_tokens


def readable(chunk: Chunk) -> str:
    """The text of a chunk as the ceiling reads it: with its day where it is written apart."""
    return chunk.text if chunk.dated_text is None else chunk.dated_text


def pack_chunks(lm: CausalLM, document: Document, ranked: Sequence[int], budget: int) -> Prefix:
    """The best chunks that fit into a budget, in the order of the document.

    Chunks are taken in order of rank until one does not fit whole; of that one the first tokens
    fill what is left, so that a baseline never has fewer tokens than it may.

    Args:
        lm: whose tokens are counted.
        document: that the chunks are of.
        ranked: indices of chunks, the best first; those that are not named are not read.
        budget: tokens, without the head of the prompt.
    """
    kept: dict[int, list[int]] = {}
    left = budget
    for index in ranked:
        token_ids = lm.encode(readable(document.chunks[index]) + CHUNK_SEPARATOR)[:left]
        if not token_ids:
            break
        kept[index] = token_ids
        left -= len(token_ids)
    body = [token for index in sorted(kept) for token in kept[index]]
    return Prefix.counted(embed_tokens(lm, lm.encode(lm.prompt.head) + body))
