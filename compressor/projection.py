"""From latents to the input space of the reasoner, with the scale under control.

Shapes: K = latents, E = width of a latent, R = width of the reasoner's embeddings.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn

from ..common.errors import RecipeError
from .config import ProjectionKind, ScaleKind


class OutputScale(nn.Module):
    """Gives vectors the size that the reasoner's embeddings have, or one that is learned.

    `fixed`: root mean square = that of the embeddings, times `init_scale`. `learned`: the same at
    the start, then one learned factor for all. `free`: in addition a learned factor per latent,
    as learned encoders emit norms far from those of the embeddings.

    Without the norm at the end, vectors of a root mean square of one are what gets this size, and
    all others keep their proportion to them: how large a mean of states is says how alike the
    states are, and normalising forgets it.
    """

    start: Tensor

    def __init__(
        self,
        kind: ScaleKind,
        width: int,
        embedding_rms: float,
        init_scale: float,
        *,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.norm = nn.RMSNorm(width, eps=1e-6, elementwise_affine=False)
        log_rms = torch.tensor(math.log(embedding_rms * init_scale))
        self.register_buffer("start", log_rms)
        # Ten times the step of the other weights: the logarithm has far to go.
        self.log_gain = nn.Parameter(torch.zeros(())) if kind != "fixed" else None
        self.per_latent_scale = nn.Linear(width, 1) if kind == "free" else None
        if self.per_latent_scale is not None:
            nn.init.zeros_(self.per_latent_scale.weight)
            nn.init.zeros_(self.per_latent_scale.bias)

    def forward(self, x_BKR: Tensor) -> Tensor:
        """[B, K, R] to [B, K, R]."""
        normed = self.norm(x_BKR.float())
        log_scale = self.start
        if self.log_gain is not None:
            log_scale = log_scale + 10.0 * self.log_gain
        if self.per_latent_scale is not None:
            log_scale = log_scale + self.per_latent_scale(normed)
        scaled: Tensor = (normed if self.normalise else x_BKR.float()) * log_scale.exp()
        return scaled


class _FixedRandom(nn.Module):
    """A random matrix that never learns: can the compressor alone hit the input space?"""

    matrix: Tensor

    def __init__(self, latent_width: int, reasoner_width: int, *, normalise: bool = True) -> None:
        """It has no norm of its own, whatever `normalise` says."""
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        matrix = torch.randn(latent_width, reasoner_width, generator=generator)
        self.register_buffer("matrix", matrix / latent_width**0.5)

    def forward(self, z_BKE: Tensor) -> Tensor:
        return z_BKE @ self.matrix


class _Identity(nn.Module):
    """None at all: a latent is read in the basis in which the compressor writes it."""

    def __init__(self, latent_width: int, reasoner_width: int, *, normalise: bool = True) -> None:
        """It has no norm of its own, whatever `normalise` says.

        Raises:
            RecipeError: the widths differ.
        """
        super().__init__()
        if latent_width != reasoner_width:
            raise RecipeError(
                f"model.projection: identity needs latents as wide as the reasoner, and they have "
                f"{latent_width} numbers, it {reasoner_width}; give "
                f"--set model.latent_width={reasoner_width}"
            )

    def forward(self, z_BKE: Tensor) -> Tensor:
        return z_BKE


class _Learned(nn.Module):
    """A linear map plus a two-layer MLP that starts at zero.

    Between equal widths it starts as the identity: a latent made of the teacher's states is in
    the basis of the teacher's own residual stream, which the control reads. Without the norm at
    the end the linear map takes latents as large as they are; the MLP always reads normed ones.
    """

    def __init__(self, latent_width: int, reasoner_width: int, *, normalise: bool = True) -> None:
        super().__init__()
        self.normalise = normalise
        inner = 4 * reasoner_width
        self.norm = nn.RMSNorm(latent_width, eps=1e-6)
        self.linear = nn.Linear(latent_width, reasoner_width, bias=False)
        self.up = nn.Linear(latent_width, inner)
        self.down = nn.Linear(inner, reasoner_width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
        if latent_width == reasoner_width:
            nn.init.eye_(self.linear.weight)

    def forward(self, z_BKE: Tensor) -> Tensor:
        normed = self.norm(z_BKE)
        mlp = self.down(nn.functional.gelu(self.up(normed)))
        return self.linear(normed if self.normalise else z_BKE) + mlp  # type: ignore[no-any-return]


PROJECTIONS: Final = {
    "fixed_random": _FixedRandom,
    "identity": _Identity,
    "learned": _Learned,
}


class Projection(nn.Module):
    """Latents [B, K, E] to vectors [B, K, R] that stand where token embeddings stood."""

    def __init__(
        self,
        kind: ProjectionKind,
        scale: ScaleKind,
        latent_width: int,
        reasoner_width: int,
        embedding_rms: float,
        init_scale: float,
        *,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.body = PROJECTIONS[kind](latent_width, reasoner_width, normalise=normalise)
        self.scale = OutputScale(
            scale, reasoner_width, embedding_rms, init_scale, normalise=normalise
        )

    def forward(self, z_BKE: Tensor) -> Tensor:
        """[B, K, E] to [B, K, R], float32."""
        return self.scale(self.body(z_BKE))  # type: ignore[no-any-return]
