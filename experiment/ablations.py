"""The ablations of phase 7: one change a row, against the recipe of phase 5, and what it entails.

Pre-registered in docs/experiment_plan.md, sections 4 and 4b. The verdict is about the rows of
section 4 alone: each layer, mix, time, local-mean queries, scale control, every auxiliary loss,
latent width. Those of 4b stand beside them in the table; with rows such as a quarter of the latents
among those that are judged, a gate on the largest drop could not fail. To add one, add a row to
`ADDED` and to the plan.
"""

from typing import Any, Final

from ..train.recipe import Recipe
from .phases import phase
from .sizes import OWN_AMOUNT, PREFIX

ABLATIONS: Final[dict[str, dict[str, Any]]] = {
    "no-layer-6": {"layers": (-18, -30)},
    "no-layer-18": {"layers": (-6, -30)},
    "no-layer-30": {"layers": (-6, -18)},
    "equal-mix": {"model.mix": "equal"},
    "no-time": {"model.time": False},
    "learned-queries": {"model.queries": "learned"},
    "fixed-scale": {"model.scale": "fixed"},
    "no-alignment": {"objectives.alignment": None},
    "half-latent-width": {"model.latent_width": 64, "model.day_start": "given"},
    "no-residual": {"model.residual": False},
}
"""Name -> fields of the full recipe that it changes; the verdict is about these."""

ADDED: Final[dict[str, dict[str, Any]]] = {
    "only-layer-6": {"layers": (-6,)},
    "only-layer-18": {"layers": (-18,)},
    "only-layer-30": {"layers": (-30,)},
    "embeddings-alone": {"layers": (0,)},
    "sequential-positions": {"model.positions": "sequential"},
    "identity-projection": {"model.projection": "identity"},
    "random-projection": {"model.projection": "fixed_random", "model.day_start": "given"},
    "learned-scale": {"model.scale": "learned"},
    "equal-stretches": {"model.allocation": "equal", "model.day_tokens": 0},
    "split-tokens": {"model.mass_edges": "chunk"},
    "no-day-tokens": {"model.day_tokens": 0},
    "concatenated-pooling": {"model.pooling": "concat", "model.mass_edges": "chunk"},
    "no-blocks": {"model.blocks": 0},
    "one-block": {"model.blocks": 1},
    "six-blocks": {"model.blocks": 6},
    "double-latent-width": {"model.latent_width": 256, "model.day_start": "given"},
    "alignment-alone": {"objectives.answer": None},
    "distillation": {"objectives.distillation": 1.0},
    "reverse-distillation": {"objectives.reverse_distillation": 1.0},
    "mixed-distillation": {"objectives.mixed_distillation": 1.0},
    "localization": {"objectives.localization": 1.0},
    "reconstruction": {"objectives.reconstruction": 1.0},
    "ratio-8": {"ratios": (8.0,)},
    "ratio-16": {"ratios": (16.0,)},
    **{name: change(phase(5).recipe) for name, change in OWN_AMOUNT.items()},
}
"""The same of rows that are reported and not judged; the last ones at the default size."""


def rows() -> dict[str, dict[str, Any]]:
    """Every row of the table, those that are judged first."""
    return ABLATIONS | ADDED


def ablated(name: str) -> Recipe:
    """The recipe of one row, at the default size.

    Raises:
        KeyError: there is no such row.
    """
    full = phase(7).reference
    assert full is not None
    return phase(full).recipe.changed(rows()[name], name=f"{PREFIX}{name}")


def layers_of_grid() -> tuple[int, ...]:
    """The layers that a store needs for every row, in the order of the full recipe."""
    full = phase(7).reference
    assert full is not None
    every = [
        phase(full).recipe.layers,
        *(row["layers"] for row in rows().values() if "layers" in row),
    ]
    return tuple(dict.fromkeys(layer for layers in every for layer in layers))
