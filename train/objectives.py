"""What the compressor is rewarded for. One objective, one function, one row of the table.

Shapes: N = answer tokens, B = documents, S = question positions, R = reasoner width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from ..reasoner.frozen import FrozenReasoner, ReaderOutput
from .batches import Batch


@dataclass(frozen=True, slots=True)
class Step:
    """Everything an objective may look at."""

    reasoner: FrozenReasoner
    batch: Batch
    reading: ReaderOutput
    """Of the latents, with gradients."""


Objective = Callable[[Step], Tensor]


def answer(step: Step) -> Tensor:
    """Cross-entropy of the answer tokens, mean over tokens, in nats."""
    return functional.cross_entropy(step.reading.logits_NV, step.reading.targets_N)


def alignment(step: Step) -> Tensor:
    """How far the reasoner's states are from those it has when it reads the document itself.

    Mean squared error between states of the question positions at several depths, each brought
    to a root mean square of one (2412.17483 and CompLLM, arXiv 2509.19228, match states too).
    """
    full = _full_reading(step)
    live = step.batch.questions.segment_BS > 0
    errors = [
        functional.mse_loss(_unit(state[live]), _unit(full.states[depth][live]))
        for depth, state in step.reading.states.items()
    ]
    return torch.stack(errors).mean()


def distillation(step: Step) -> Tensor:
    """KL(full reading || reading of the latents) over the answer tokens, in nats."""
    full = _full_reading(step)
    return functional.kl_div(
        step.reading.logits_NV.log_softmax(-1),
        full.logits_NV.log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )


def _full_reading(step: Step) -> ReaderOutput:
    with torch.no_grad():
        context = step.reasoner.document_context(step.batch.token_ids_BT, step.batch.states.mask_BT)
        return step.reasoner.read(context, step.batch.questions, tuple(step.reading.states))


def _unit(x: Tensor) -> Tensor:
    return functional.rms_norm(x.float(), x.shape[-1:])


OBJECTIVES: Final[dict[str, Objective]] = {
    "answer": answer,
    "alignment": alignment,
    "distillation": distillation,
}
NEEDS_STATES: Final = frozenset({"alignment"})
"""Objectives that compare hidden states."""


READS_DOCUMENT: Final = frozenset({"alignment", "distillation"})
"""Objectives for which the reasoner reads the document in the teacher's tokens."""


def alignment_depths(blocks: int) -> tuple[int, ...]:
    """Six depths, evenly spread over the reasoner, the last block included."""
    return tuple(dict.fromkeys(max(1, round(blocks * share / 6)) for share in range(1, 7)))
