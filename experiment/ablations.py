"""The ablations of phase 7: one change a row, against the recipe of phase 5.

Pre-registered in docs/experiment_plan.md, section 4: each layer, mix, time, local-mean queries,
scale control, every auxiliary loss, latent width. To add one, add a row.
"""

from typing import Any, Final

from ..train.recipe import Recipe
from .phases import phase

ABLATIONS: Final[dict[str, dict[str, Any]]] = {
    "no-layer-6": {"layers": (-18, -30)},
    "no-layer-18": {"layers": (-6, -30)},
    "no-layer-30": {"layers": (-6, -18)},
    "equal-mix": {"model.mix": "equal"},
    "no-time": {"model.time": False},
    "learned-queries": {"model.queries": "learned"},
    "fixed-scale": {"model.scale": "fixed"},
    "no-alignment": {"objectives.alignment": None},
    "half-latent-width": {"model.latent_width": 64},
    "no-residual": {"model.residual": False},
}
"""Name -> fields of the full recipe that it changes."""


def ablated(name: str) -> Recipe:
    """The recipe of one row, at the default size.

    Raises:
        KeyError: there is no such row.
    """
    full = phase(7).reference
    assert full is not None
    return phase(full).recipe.changed(ABLATIONS[name], name=f"ablation-{name}")
