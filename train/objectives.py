"""What the compressor is trained for: a plain table, one objective a function and a row.

Shapes: N = answer tokens, B = documents, S = question positions, R = reasoner width.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from ..common.errors import RecipeError
from ..compressor.model import Compressed
from ..reasoner.frozen import FrozenReasoner, ReaderOutput
from .batches import Batch
from .recipe import Recipe


@dataclass(slots=True)
class Step:
    """Everything an objective may look at."""

    reasoner: FrozenReasoner
    batch: Batch
    compressed: Compressed
    """Latents and injected vectors, with gradients."""
    reading: ReaderOutput
    """Of the latents, with gradients."""
    _full: ReaderOutput | None = field(default=None, init=False)

    @property
    def full(self) -> ReaderOutput:
        """What the reasoner makes of the document itself, without gradients; read once a step."""
        if self._full is None:
            states = self.batch.states
            with torch.no_grad():
                context = self.reasoner.document_context(self.batch.token_ids_BT, states.mask_BT)
                depths = tuple(self.reading.states)
                self._full = self.reasoner.read(context, self.batch.questions, depths)
        return self._full


@dataclass(frozen=True, slots=True)
class Objective:
    """One row of the table."""

    loss: Callable[[Step], Tensor]
    needs_states: bool = False
    """Whether it compares hidden states of the reasoner."""
    reads_document: bool = False
    """Whether the reasoner reads the document too, in the teacher's tokens."""


def answer(step: Step) -> Tensor:
    """Cross-entropy of the answer tokens, mean over tokens, in nats."""
    return functional.cross_entropy(step.reading.logits_NV, step.reading.targets_N)


def alignment(step: Step) -> Tensor:
    """How far the reasoner's states are from those it has when it reads the document itself.

    Mean squared error between states of the question positions at several depths, each brought
    to a root mean square of one (2412.17483 and CompLLM, arXiv 2509.19228, match states too).
    """
    live = step.batch.questions.segment_BS > 0
    errors = [
        functional.mse_loss(_unit(state[live]), _unit(step.full.states[depth][live]))
        for depth, state in step.reading.states.items()
    ]
    return torch.stack(errors).mean()


def distillation(step: Step) -> Tensor:
    """KL(full reading || reading of the latents) over the answer tokens, in nats."""
    return functional.kl_div(
        step.reading.logits_NV.log_softmax(-1),
        step.full.logits_NV.log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )


def _unit(x: Tensor) -> Tensor:
    return functional.rms_norm(x.float(), x.shape[-1:])


OBJECTIVES: Final[dict[str, Objective]] = {
    "answer": Objective(answer),
    "alignment": Objective(alignment, needs_states=True, reads_document=True),
    "distillation": Objective(distillation, reads_document=True),
}


def check_objectives(recipe: Recipe) -> None:
    """Refuse a recipe that names an objective which does not exist.

    Raises:
        RecipeError: names it and those there are.
    """
    for name in recipe.objectives:
        if name not in OBJECTIVES:
            raise RecipeError(
                f"objectives.{name}: there is no such objective; choose of {', '.join(OBJECTIVES)}"
            )


def alignment_depths(blocks: int) -> tuple[int, ...]:
    """Six depths, evenly spread over the reasoner, the last block included."""
    return tuple(dict.fromkeys(max(1, round(blocks * share / 6)) for share in range(1, 7)))
