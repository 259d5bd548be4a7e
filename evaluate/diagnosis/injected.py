"""What becomes of injected vectors inside the reasoner: their size, and what they are near to.

Phase 4 holds that vectors must have the direction and size of what the reasoner knows. Depth 0 is
what is injected; deeper, the states that the reasoner makes of it, beside those that it makes of
the document's own tokens.

Shapes: B = documents, T = positions, R = width of the reasoner, N = positions that count, V =
vocabulary.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from ...common.record import Record
from ...compressor.model import compress
from ...compressor.states import pad_states, padded_length, scatter_rows
from ...corpus.records import Document
from ...models.describe import describe_document
from ...reasoner.attention import entering
from ...reasoner.frozen import Context, FrozenReasoner
from ...reasoner.packing import encode_questions, pack
from ..bench import Bench
from ..stats import Figure

_ROWS: Final = 1024
"""States that are compared with all embeddings at once."""
_DEPTHS: Final = 8


class Depth(Record):
    """Means over latents, or over tokens of the text, behind a number of blocks."""

    blocks_completed: int
    """0: what is injected, or the token embeddings."""
    latents_rms: Figure
    """Root mean square of a state, in multiples of that of the reasoner's embeddings."""
    text_rms: Figure
    """The same where the reasoner reads the text."""
    latents_nearest: Figure
    """Cosine of a state with the nearest input embedding."""
    text_nearest: Figure
    """The same where the reasoner reads the text."""


@torch.inference_mode()
def by_depth(bench: Bench, documents: Sequence[Document]) -> tuple[Depth, ...]:
    """Sizes and nearest embeddings at up to eight depths, the injected vectors first.

    Args:
        bench: compressor, states and reasoner.
        documents: with questions; read `batch_size` at a time.
    """
    reasoner = FrozenReasoner(bench.reasoner)
    model, sums = bench.model.to(bench.device).eval(), dict[int, Tensor]()
    for start in range(0, len(documents), bench.batch_size):
        batch = documents[start : start + bench.batch_size]
        states = pad_states(list(bench.read(batch))).to(bench.device)
        compressed = compress(model, states, bench.ratio)
        texts = _text_context(reasoner, batch)
        head = len(reasoner.head_ids)
        for column, context in enumerate((reasoner.latent_context(compressed), texts)):
            counted_BC = context.mask_BC.clone()
            counted_BC[:, :head] = False
            for depth, h_NR in _states(reasoner, batch, context, counted_BC).items():
                figures = _figures(reasoner, h_NR)
                into = sums.setdefault(depth, torch.zeros(2, 3, dtype=torch.float64))
                into[column] += figures
    return tuple(_depth(depth, into) for depth, into in sorted(sums.items()))


def _depth(blocks_completed: int, sums: Tensor) -> Depth:
    (latents_rms, latents_nearest), (text_rms, text_nearest) = (
        (float(row[0] / row[2]), float(row[1] / row[2])) for row in sums
    )
    return Depth(
        blocks_completed=blocks_completed,
        latents_rms=latents_rms,
        text_rms=text_rms,
        latents_nearest=latents_nearest,
        text_nearest=text_nearest,
    )


def _text_context(reasoner: FrozenReasoner, documents: Sequence[Document]) -> Context:
    rows = [describe_document(reasoner.lm, document).token_ids for document in documents]
    tokens = torch.tensor([len(row) for row in rows])
    mask_BT = torch.arange(padded_length(int(tokens.max()))) < tokens[:, None]
    ids_BT = scatter_rows(mask_BT, rows).to(reasoner.device)
    return reasoner.document_context(ids_BT, mask_BT.to(reasoner.device))


def _states(
    reasoner: FrozenReasoner, documents: Sequence[Document], context: Context, counted_BC: Tensor
) -> dict[int, Tensor]:
    """States [N, R] of the positions that count, by blocks completed."""
    blocks = len(reasoner.blocks)
    depths = sorted({blocks * share // _DEPTHS for share in range(_DEPTHS)})
    encoded = [encode_questions(reasoner.lm, document.questions[:1]) for document in documents]
    questions = pack(encoded, max(len(row[0]) for row in encoded), Random(0))
    moved = type(questions)(
        *(getattr(questions, name).to(reasoner.device) for name in questions.__slots__)
    )
    # What enters block d + 1 is the state behind d blocks.
    with entering(reasoner.blocks, tuple(depth + 1 for depth in depths)) as inputs:
        reasoner.read(context, moved)
    width = context.mask_BC.shape[1]
    return {depth: inputs[depth + 1].h_BTR[:, :width][counted_BC] for depth in depths}


def _figures(reasoner: FrozenReasoner, h_NR: Tensor) -> Tensor:
    """Sums of sizes and of nearest cosines, and their number: float64 [3]."""
    size = h_NR.float().square().mean(-1).sqrt() / reasoner.embedding_rms()
    every = torch.arange(reasoner.vocabulary, device=h_NR.device)
    table_VR = functional.normalize(reasoner.embed(every).float(), dim=-1)
    nearest = torch.cat(
        [
            (functional.normalize(rows.float(), dim=-1) @ table_VR.T).amax(-1)
            for rows in torch.split(h_NR, _ROWS)
        ]
    )
    return torch.tensor(
        [float(size.double().sum()), float(nearest.double().sum()), len(h_NR)],
        dtype=torch.float64,
    )
