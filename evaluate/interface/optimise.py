"""Latents as free parameters: optimised so that the frozen reasoner answers given questions.

Shapes: B = documents, K = latents, R = width of the reasoner, T = tokens, N = answer tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from ...compressor.allocation import segments
from ...compressor.model import Compressed
from ...reasoner.frozen import FrozenReasoner
from ...reasoner.packing import EncodedQuestion, PackedQuestions, pack
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Places:
    """How many latents each document has, and where they stand."""

    mask_BK: Tensor
    """bool: a latent, not padding."""
    pool_BKT: Tensor
    """float32: weights of each token in the mean of each latent's segment."""
    position_BK: Tensor | None
    """int64: middles of the segments; None for one after the other."""
    after_B: Tensor | None
    """int64: where questions begin; None for right after the last latent."""

    def compressed(self, x_BKR: Tensor) -> Compressed:
        """Vectors at these places, as the reasoner takes them."""
        return Compressed(x_BKR, self.mask_BK, x_BKR, self.position_BK, self.after_B)


def places(mask_BT: Tensor, ratio: float, positions: str) -> Places:
    """The places of a compressor at this ratio: ceil(tokens / ratio) equal segments.

    Args:
        mask_BT: bool, tokens of each document, the prompt's head included.
        ratio: tokens per latent.
        positions: as `model.positions` of a recipe.
    """
    tokens_B = mask_BT.sum(1)
    counts_B = (tokens_B.double() / ratio).ceil().long().clamp(min=1)
    pool_BKT, position_BK, mask_BK = segments(mask_BT, counts_B, int(counts_B.max()))
    if positions == "sequential":
        return Places(mask_BK, pool_BKT, None, None)
    return Places(mask_BK, pool_BKT, position_BK.long(), tokens_B)


def optimise(
    reasoner: FrozenReasoner,
    where: Places,
    start_BKR: Tensor,
    questions: Sequence[Sequence[EncodedQuestion]],
    settings: Settings,
    on_step: Callable[[int, Tensor], None] = lambda step, loss_B: None,
) -> Tensor:
    """Vectors from which the reasoner answers the questions, by Adam from a start.

    What becomes of a document does not depend on those beside it: Adam's steps do not depend on the
    size of gradients, and no other quantity is shared.

    Args:
        reasoner: frozen.
        where: places of the latents.
        start_BKR: float32, what to begin with.
        questions: of each document, at least one.
        settings: steps, rates, and how many questions a step sees.
        on_step: called with the number of steps done and the loss of each document before the last
            one: cross-entropy in nats, mean over the answer tokens that the step saw.

    Returns:
        float32 [B, K, R].
    """
    size = reasoner.embedding_rms()
    # In multiples of an embedding, so that one learning rate does for every reasoner.
    x_BKR = (start_BKR / size).detach().clone().requires_grad_(True)
    adam = torch.optim.Adam([x_BKR], betas=(settings.beta1, settings.beta2), eps=1e-12)
    device, ids = reasoner.device, reasoner.lm.model.dtype
    mixed = device.type == "cuda" or ids == torch.bfloat16
    for step in range(settings.steps):
        for group in adam.param_groups:
            group["lr"] = settings.lr_at(step)
        packed = _packed(questions, settings, step, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            context = reasoner.latent_context(where.compressed(x_BKR * size))
            reading = reasoner.read(context, packed)
        loss_B = _losses(reading.logits_NV, reading.targets_N, packed)
        adam.zero_grad(set_to_none=True)
        # A sum, so that the gradient of a document is the same in every batch.
        loss_B.sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
        on_step(step + 1, loss_B.detach())
    return (x_BKR * size).detach()


def _packed(
    questions: Sequence[Sequence[EncodedQuestion]],
    settings: Settings,
    step: int,
    device: torch.device,
) -> PackedQuestions:
    """The questions that a step sees: all, or as many as fit, drawn by step."""
    every = max(sum(map(len, row)) for row in questions)
    positions = min(every, settings.question_tokens or every)
    packed = pack(questions, positions, Random(f"ceiling/{settings.seed}/{step}"))
    moved = {name: getattr(packed, name).to(device) for name in packed.__slots__}
    return replace(packed, **moved)


def _losses(logits_NV: Tensor, targets_N: Tensor, packed: PackedQuestions) -> Tensor:
    """Cross-entropy by document [B], mean over its answer tokens."""
    surprise_N = functional.cross_entropy(logits_NV, targets_N, reduction="none")
    rows_N, _ = packed.answer_BS.nonzero(as_tuple=True)
    total_B = surprise_N.new_zeros(len(packed.answer_BS)).index_add(0, rows_N, surprise_N)
    return total_B / packed.answer_BS.sum(1).clamp(min=1)
