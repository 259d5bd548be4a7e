"""The ladder: eight phases, each one literal with question, recipe, reference and gate.

Each recipe is the one before it with the fields changed that its question is about;
docs/experiment_plan.md says why, and a test compares its tables with these. Batch size, learning
rate and budget of every recipe are those of the size (sizes.py).
"""

from dataclasses import dataclass
from typing import Final

from ..common.errors import PhaseError
from ..compressor.config import ModelConfig
from ..train.recipe import Recipe
from .gates import COMPARISON, EXISTENCE, Criterion, Gate
from .sizes import DEFAULT, SIZES


@dataclass(frozen=True, slots=True)
class Phase:
    """One rung of the ladder."""

    number: int
    title: str
    question: str
    """What it is there to answer."""
    recipe: Recipe
    """What is trained, at the default size."""
    gate: Gate
    """What it has to show."""
    reference: int | None = None
    """The phase that it is compared with; None where the gate asks for existence alone."""
    grid: bool = False
    """Whether its trials are the ablations of the reference (ablations.py)."""
    steps: int | None = None
    """Beginnings of each held-out document that it is measured on; None: on whole documents."""
    lacks: str = ""
    """A part that it needs and this version does not have; empty where it can run."""


_CONTROL = Recipe(
    name="phase-1",
    model=ModelConfig(
        time=False,
        projection="identity",
        scale="fixed",
        # About the size of the states in the middle of the lab teacher: at the size of the
        # embeddings, the reasoner made nothing of them (docs/LOG.md).
        scale_multiple=16.0,
        # A control that is trained badly flatters all that follows: latents that choose their
        # tokens, and branches that begin by adding nothing, learn several times as fast.
        allocation="learned_mass",
        mass_kind="sigmoid",
        mass_edges="token",
        start="identity",
        end_norm=False,
        # Further layers begin by adding nothing, too, so phase 2 begins as phase 1 does. The first
        # in the order of depth is -30.
        residual_start="first",
    ),
    # The one layer that is read best by itself, chosen on documents of its own (docs/LOG.md).
    layers=(-30,),
    objectives={"answer": 1.0},
    budget={"steps": 1},  # type: ignore[arg-type]  # of the size, below
).changed(SIZES[DEFAULT].changes)
_LAYERS = _CONTROL.changed({"layers": (-6, -18, -30)}, name="phase-2")
_TIME = _LAYERS.changed(
    {
        "model.time": True,
        "model.positions": "tokens",
        "model.day_tokens": 2,
        "model.day_start": "tokens",
        "model.day_crowded": "shared",
    },
    name="phase-3",
)
_PROJECTION = _TIME.changed(
    {"model.projection": "learned", "model.scale": "free"},
    name="phase-4",
)
_STRATEGY = _PROJECTION.changed({"objectives.alignment": 1.0}, name="phase-5")
_SEQUENTIAL = _STRATEGY.changed({"model.memory": "append"}, name="phase-6")
_ABLATIONS = _STRATEGY.changed({}, name="phase-7")
# Another reasoner's tokens are no vectors of these latents, so days begin fresh there.
_TRANSFER = _STRATEGY.changed(
    {"reasoner": "student", "model.day_start": "given"},
    name="phase-8",
)

_READ = Criterion("compressed_minus_shuffled", "low", 0.05)

PHASES: Final[tuple[Phase, ...]] = (
    Phase(
        1,
        "control",
        "does information get through at all, with the teacher as its own reasoner",
        _CONTROL,
        Gate((Criterion("retention", "low", 0.10), _READ), EXISTENCE),
    ),
    Phase(
        2,
        "layers",
        "facts early, relations in the middle, structure late?",
        _LAYERS,
        Gate((Criterion("retention_gain", "low", 0.03),), COMPARISON),
        reference=1,
    ),
    Phase(
        3,
        "time",
        "order, latest against old, overrides",
        _TIME,
        Gate(
            (Criterion("time_gain", "low", 0.05), Criterion("stale_rise", "high", 0.02)),
            COMPARISON,
        ),
        reference=2,
    ),
    Phase(
        4,
        "projection",
        "how much of the loss is being off the reasoner's manifold",
        _PROJECTION,
        Gate((Criterion("retention", "low", 0.40), _READ), EXISTENCE, aim=0.70),
    ),
    Phase(
        5,
        "strategy",
        "is the remaining loss a weak gradient",
        _STRATEGY,
        Gate((Criterion("retention_gain", "low", 0.05),), COMPARISON),
        reference=4,
    ),
    Phase(
        6,
        "sequential",
        "does a memory that is revised keep what one written at once keeps",
        _SEQUENTIAL,
        Gate(
            (Criterion("retention_gain", "low", -0.10), Criterion("stale_rate", "high", 0.10)),
            COMPARISON,
        ),
        reference=5,
        steps=4,
    ),
    Phase(
        7,
        "ablations",
        "which part carries what",
        _ABLATIONS,
        Gate((Criterion("largest_ablation_drop", "low", 0.05),), COMPARISON),
        reference=5,
        grid=True,
    ),
    Phase(
        8,
        "transfer",
        "do the latents of the large teacher serve a smaller reasoner",
        _TRANSFER,
        Gate((Criterion("retention", "low", 0.25), _READ), EXISTENCE),
    ),
)


def phase(number: int) -> Phase:
    """Look a phase up.

    Raises:
        PhaseError: there is no such phase; the message lists those there are.
    """
    for each in PHASES:
        if each.number == number:
            return each
    if number == 0:
        raise PhaseError("phase 0 is the experiment plan: read docs/experiment_plan.md")
    listed = ", ".join(f"{each.number} ({each.title})" for each in PHASES)
    raise PhaseError(f"there is no phase {number}: choose one of {listed}")
