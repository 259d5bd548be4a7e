"""Bounds of the self-test: how far states may be from the reference, by precision.

Measured on 60 classes of tiny models and on a 30B one (docs/models.md): two right passes in
float32 differ by at most 6e-6 (the batch sums in another order), a fault by 0.05 and more. In half
precision rounding alone moves states by 0.5 to 10 %, more with depth; so there the real path is
held against what rounding does to the reference itself, on the same tokens.

Axis letters: T tokens, D hidden size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from ..models.layers import layer_name
from ..store.format.schema import LayerRecord
from .self_test_record import LayerAgreement
from .teachers.reference import Reference

IN_FLOAT32: Final = 2.0**-10
"""Largest relative error of a token in float32."""
NOISE_FACTOR: Final = 4.0
"""By how much the real path may be further off than the reference, both in half precision."""
FLOOR: Final = {"bfloat16": 2.0**-5, "float16": 2.0**-8, "float32": IN_FLOAT32}
"""Error that is never a fault: some roundings of the precision."""
COARSE: Final = 2.0**-3
"""Bound where a model cannot be computed in float32 (a kernel that knows bfloat16 alone), so that
nothing says what rounding does: that of `store verify --recompute` for half precision."""
FLIPPED: Final = 0.05
"""Share of tokens of a mixture of experts that may be anything: a near tie of two experts falls
the other way when sums are taken in another order."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The reference of one document, by place in the model's own list."""

    wide: Reference
    """In float32; the same object as `narrow` where the model cannot be computed in it."""
    narrow: Reference
    """In the run's precision; the same object as `wide` where that is float32."""

    @property
    def coarse(self) -> bool:
        """Whether nothing says what rounding does: no state is in float32 but those of the run."""
        return self.wide is self.narrow


@dataclass(frozen=True, slots=True)
class Read:
    """What the real path gave for a document: [T, L, D] in float32 and in the run's precision."""

    wide: torch.Tensor | None
    narrow: torch.Tensor


def has_experts(config: Any) -> bool:  # noqa: ANN401 - any transformers config
    """Whether a router chooses among experts, so that a near tie can fall either way."""
    return any(
        "expert" in name and isinstance(value, int) and value > 1
        for name, value in config.to_dict().items()
    )


def token_errors(a_TD: torch.Tensor, b_TD: torch.Tensor) -> torch.Tensor:
    """Relative L2 errors [T] of states against a reference.

    A token whose state is next to nothing is held against a thousandth of the median size: its own
    size would make an error of rounding infinite.
    """
    a_TD, b_TD = a_TD.float(), b_TD.float()
    norms_T = b_TD.norm(dim=-1)
    norms_T = norms_T.clamp_min(1e-3 * float(norms_T.median()) + 1e-30)
    errors: torch.Tensor = (a_TD - b_TD).norm(dim=-1) / norms_T
    return errors.nan_to_num(nan=float("inf"), posinf=float("inf"))


def not_finite(expected: Sequence[Expected], layers: Sequence[LayerRecord]) -> str | None:
    """The fault of a model whose own forward gives NaN or infinity; None if it does not."""
    for layer in layers:
        place = layer.blocks_completed
        if not all(torch.isfinite(each.wide[place]).all() for each in expected):
            return f"the state {layer_name(layer)} of its own forward is NaN or infinite"
    return None


def sees_ahead(
    expected: Sequence[Expected], layers: Sequence[LayerRecord], dtype: str, *, flips: bool
) -> str | None:
    """The fault of a model whose states change with what stands behind; None for a causal one.

    Args:
        expected: of the sample: the second document is the beginning of the third.
        layers: that are asked for.
        dtype: the run's precision.
        flips: whether single tokens may be anything.
    """
    coarse = expected[1].coarse and dtype != "float32"
    part, whole = expected[1].wide, expected[2].wide
    for layer in layers:
        place = layer.blocks_completed
        errors = token_errors(whole[place][: len(part[place])], part[place])
        worst, bound = float(errors.max()), IN_FLOAT32
        if coarse:
            worst, bound = float(errors.quantile(0.95)), COARSE
        if worst > bound if coarse else _faulty(errors, flips):
            return (
                f"the state {layer_name(layer)} changes with the text behind it (by "
                f"{worst:.2g}, bound {bound:.2g}): its tokens see later ones"
            )
    return None


def agree(
    expected: Sequence[Expected],
    read: Sequence[Read],
    layers: Sequence[LayerRecord],
    dtype: str,
    *,
    flips: bool,
) -> tuple[tuple[LayerAgreement, ...], str | None]:
    """How far each layer is from the reference, and the first fault, if there is one.

    Args:
        expected: of each document.
        read: of each document.
        layers: order of the layer axis.
        dtype: the run's precision.
        flips: whether single tokens may be anything.
    """
    figures, fault = [], None
    for slot, layer in enumerate(layers):
        place = layer.blocks_completed
        wide = [
            token_errors(one.wide[:, slot], each.wide[place])
            for one, each in zip(read, expected, strict=True)
            if one.wide is not None
        ]
        error = torch.cat(
            [
                token_errors(one.narrow[:, slot], each.wide[place])
                for one, each in zip(read, expected, strict=True)
            ]
        )
        noise = torch.cat([token_errors(each.narrow[place], each.wide[place]) for each in expected])
        figures.append(
            LayerAgreement(
                blocks_completed=place,
                post_norm=layer.post_norm,
                float32=max(float(one.max()) for one in wide) if wide else None,
                error=_most(error),
                noise=_most(noise),
            )
        )
        floor = COARSE if expected[0].coarse and dtype != "float32" else FLOOR[dtype]
        fault = fault or _fault(layer, wide, error, noise, floor, dtype, flips)
        if fault and read[0].wide is not None:
            other = _other_place(read[0].wide[:, slot], expected[0].wide, place)
            return tuple(figures), fault + other
    return tuple(figures), fault


def _fault(
    layer: LayerRecord,
    wide: Sequence[torch.Tensor],
    error: torch.Tensor,
    noise: torch.Tensor,
    floor: float,
    dtype: str,
    flips: bool,
) -> str | None:
    for errors in wide:
        if _faulty(errors, flips):
            return (
                f"the state {layer_name(layer)} in a batch is not that of the document alone "
                f"(off by {float(errors.max()):.2g} in float32, bound {IN_FLOAT32:.2g})"
            )
    if not torch.isfinite(noise).all() or not torch.isfinite(error).all():
        return f"the state {layer_name(layer)} is NaN or infinite in {dtype}"
    for share in (0.5, 0.95):
        bound = max(floor, NOISE_FACTOR * float(noise.quantile(share)))
        if float(error.quantile(share)) > bound:
            return (
                f"the state {layer_name(layer)} in a batch is not that of the document alone "
                f"(off by {float(error.quantile(share)):.2g} in {dtype}, bound {bound:.2g})"
            )
    return None


def _faulty(errors: torch.Tensor, flips: bool) -> bool:
    allowed = FLIPPED * len(errors) if flips else 0
    return int((errors > IN_FLOAT32).sum()) > allowed


def _most(errors: torch.Tensor) -> float:
    return float(errors.quantile(0.95))


def _other_place(state: torch.Tensor, expected: Mapping[int, torch.Tensor], place: int) -> str:
    """Which other entry of the model's own list it is, for the message."""
    for other, states in expected.items():
        if other != place and float(token_errors(state, states).median()) <= IN_FLOAT32:
            return f"; entry {other} of its own hidden_states is this one, not entry {place}"
    return ""
