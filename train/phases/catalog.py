"""The eight phases. Each adds one thing to the one before it; docs/experiment_plan.md says why."""

from typing import Final

from ...common.errors import PhaseError
from .spec import PhaseSpec, Weighted

_ALL_LAYERS = (-6, -18, -30)
_ANSWER = Weighted(name="answer", weight=1.0)
_AUXILIARY = (_ANSWER, Weighted(name="alignment", weight=1.0))

_CONTROL = PhaseSpec(
    number=1,
    title="control",
    learns="does information get through at all, with the teacher as its own reasoner",
    layers=(-6,),
    time=False,
    projection="fixed_random",
    scale="fixed",
    objectives=(_ANSWER,),
)
_LAYERS = _CONTROL.model_copy(
    update={
        "number": 2,
        "title": "layers",
        "learns": "facts early, relations in the middle, structure late?",
        "layers": _ALL_LAYERS,
    }
)
_TIME = _LAYERS.model_copy(
    update={
        "number": 3,
        "title": "time",
        "learns": "order, latest against old, overrides",
        "time": True,
    }
)
_PROJECTION = _TIME.model_copy(
    update={
        "number": 4,
        "title": "projection",
        "learns": "how much of the loss is being off the reasoner's manifold",
        "projection": "learned",
        "scale": "free",
        # About the size of the states in the middle of the lab teacher: at the size of the
        # embeddings, the reasoner made nothing of them (docs/LOG.md).
        "scale_multiple": 16.0,
        "spread": True,
    }
)
_STRATEGY = _PROJECTION.model_copy(
    update={
        "number": 5,
        "title": "strategy",
        "learns": "is the remaining loss a weak gradient",
        "objectives": _AUXILIARY,
    }
)
_SEQUENTIAL = _STRATEGY.model_copy(
    update={
        "number": 6,
        "title": "sequential",
        "learns": "does a memory that is revised keep what one written at once keeps",
        "corpus": "sequential",
        "available": False,
        "lacks": "a corpus that arrives chunk by chunk with questions in between",
    }
)
_ABLATIONS = _STRATEGY.model_copy(
    update={
        "number": 7,
        "title": "ablations",
        "learns": "which part carries what",
        "available": False,
        "lacks": "the grid of arms that leave one part out",
    }
)
_TRANSFER = _STRATEGY.model_copy(
    update={
        "number": 8,
        "title": "transfer",
        "learns": "do the latents of the large teacher serve a smaller reasoner",
        "reasoner": "student",
    }
)

PHASES: Final[tuple[PhaseSpec, ...]] = (
    _CONTROL,
    _LAYERS,
    _TIME,
    _PROJECTION,
    _STRATEGY,
    _SEQUENTIAL,
    _ABLATIONS,
    _TRANSFER,
)


def phase(number: int) -> PhaseSpec:
    """Look a phase up.

    Raises:
        PhaseError: there is no such phase; the message lists those there are.
    """
    for spec in PHASES:
        if spec.number == number:
            return spec
    if number == 0:
        raise PhaseError("phase 0 is the experiment plan: read docs/experiment_plan.md")
    listed = ", ".join(f"{spec.number} ({spec.title})" for spec in PHASES)
    raise PhaseError(f"there is no phase {number}: choose one of {listed}")
