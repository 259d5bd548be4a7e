"""GPU memory of extraction and control experiment, computed from the architecture.

All figures are bytes that PyTorch allocates at its peak. The terms follow the code of
transformers for the Qwen3 family, dense and mixture of experts (`grouped_mm`), tensor by tensor;
tests count the real thing on small models and compare with the peaks measured for
Qwen3-30B-A3B. For other families they are an estimate. What the driver and the allocator take
beyond (about a gigabyte) comes out of the spare tenth.
"""

from dataclasses import dataclass
from typing import Final

from .architecture import Architecture
from .precision import BYTES as BYTES_OF

BYTES: Final = 2
"""Of a value in bfloat16, in which a card computes whatever the weights are kept in."""

SPARE: Final = 0.1
"""Share of a card that a plan must leave free."""

LOGIT_BYTES: Final = 20
"""Of one logit where the loss turns round: bfloat16 logit (2), float32 copy (4), its log-softmax
(4), the gradients of that (4) and of the copy (4), and in bfloat16 again (2)."""

ADAM_BYTES: Final = 16
"""Of one trained parameter: float32 value, gradient and two moments."""


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """One part of a plan."""

    name: str
    bytes: float


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Peak memory of a job, by item."""

    name: str
    lines: tuple[MemoryItem, ...]

    @property
    def bytes(self) -> float:
        """Sum of the items."""
        return sum(line.bytes for line in self.lines)

    def fits(self, card_bytes: float) -> bool:
        """Whether a tenth of the card stays free."""
        return self.bytes <= (1 - SPARE) * card_bytes


def weights(model: Architecture, dtype: str = "bfloat16") -> float:
    """Bytes of the weights in a precision."""
    return model.parameters * BYTES_OF[dtype]


def reading_bytes(model: Architecture) -> float:
    """Most bytes alive for each token while a block reads, without gradients.

    The residual stream four times over (embeddings, residual, normed, output), and either the
    experts' tables (a row for each token and expert: chosen inputs, output, weighted output
    before and after sorting back) or the three inner tensors of an MLP; or the queries in
    bfloat16 and twice in float32 while they are normed.
    """
    routing = 6 * model.experts + 40 * model.active
    inner = 4 * model.active * model.hidden if model.experts else 3 * model.mlp
    norming = (BYTES + 8) * model.query if model.qk_norm else 0
    return 4 * BYTES * model.hidden + max(BYTES * inner, norming) + routing


def kept_bytes(model: Architecture) -> float:
    """Bytes that one block keeps of each token for its backward pass, its weights frozen.

    Norms keep a float32 copy of what they normed; attention keeps queries, keys, values and its
    output; the experts keep gate, up and their product's factor, and the output that the
    router's weight is multiplied with.
    """
    normed = 2 * model.hidden + (model.query + model.key if model.qk_norm else 0)
    attention = BYTES * (2 * model.query + 2 * model.key) + 4 * model.heads
    if model.experts:
        inner = BYTES * model.active * (3 * model.mlp + model.hidden)
        inner += 4 * model.experts + 40 * model.active
    else:
        inner = BYTES * 3 * model.mlp
    return 4 * normed + attention + inner


def extraction(
    model: Architecture, *, batch_tokens: int, layers: int, dtype: str = "bfloat16"
) -> MemoryPlan:
    """Reading `batch_tokens` tokens at once and keeping the states after `layers` blocks."""
    states = 2 * batch_tokens * layers * model.hidden * BYTES  # each, and all of them stacked
    return MemoryPlan(
        "extraction",
        (
            MemoryItem("weights", weights(model, dtype)),
            MemoryItem("activations", batch_tokens * reading_bytes(model) * BYTES_OF[dtype] / 2),
            MemoryItem("states", states),
        ),
    )


@dataclass(frozen=True, slots=True)
class ControlStep:
    """One step of the control experiment: the reasoner is the frozen teacher."""

    documents: int
    """Documents at once."""
    latents: int
    """Latents of each."""
    question_tokens: int
    """Tokens of question and answer of each; only these have logits."""
    context_tokens: int = 0
    """Tokens of each document whose stored states lie on the card too."""
    layers: int = 0
    """Stored states of each token."""
    trainable: int = 0
    """Parameters of the compressor."""
    compressing: float = 0.0
    """Bytes that the compressor keeps for its backward pass."""
    checkpointing: bool = True
    """Whether blocks are computed again in the backward pass."""
    dtype: str = "bfloat16"
    """Of the reasoner's weights."""


def control(model: Architecture, step: ControlStep) -> MemoryPlan:
    """A frozen reasoner's forward and backward pass over latents and a question.

    At the turn from forward to backward all that is kept and the logits are there together;
    with checkpointing, a block that is computed again comes after the logits have gone.
    """
    tokens = step.documents * (step.latents + step.question_tokens)
    logits: float = step.documents * step.question_tokens * model.vocabulary * LOGIT_BYTES
    if step.checkpointing:
        kept: float = tokens * model.blocks * model.hidden * BYTES
        again = tokens * (kept_bytes(model) + reading_bytes(model))
        logits = max(logits, again)
    else:
        kept = tokens * model.blocks * kept_bytes(model)
    stored = step.documents * step.context_tokens * step.layers * model.hidden * BYTES
    latents = 2 * step.documents * step.latents * model.hidden * BYTES  # with their gradient
    return MemoryPlan(
        "train",
        (
            MemoryItem("weights", weights(model, step.dtype)),
            MemoryItem("activations", kept + logits),
            MemoryItem("latents and stored states", latents + stored),
            MemoryItem("compressor", step.trainable * ADAM_BYTES + step.compressing),
        ),
    )


def evaluation(model: Architecture, step: ControlStep) -> MemoryPlan:
    """Reading documents, and answering all questions about each behind the whole document.

    The ceiling takes most: a document and its questions in one row, keys and values of all blocks,
    and a mask of a row's square, once as numbers and once as truth values.
    """
    width = BYTES_OF[step.dtype]
    row = step.context_tokens + step.question_tokens
    tokens = step.documents * row
    cache = tokens * model.blocks * 2 * model.key * width
    mask = step.documents * row * row * (width + 1)
    states = 2 * step.documents * step.context_tokens * step.layers * model.hidden * BYTES
    return MemoryPlan(
        "evaluate",
        (
            MemoryItem("weights", weights(model, step.dtype)),
            MemoryItem("activations", tokens * reading_bytes(model) * width / 2),
            MemoryItem("keys, values and mask", cache + mask),
            MemoryItem("latents and states", states),
            MemoryItem("compressor", 4 * step.trainable),
        ),
    )
