"""Mean-pooling: every latent is the mean of its segment of teacher states, and nothing learned.

The baseline of the Perceiver: what is left of it when its blocks are taken out. Only the weights
of the layers are trained (and whatever the projection behind it has).

Shapes: B = documents, T = tokens, L = layers, D = teacher width, K = latents.
"""

from typing import Final

from torch import Tensor, nn

from .allocation import segments
from .config import ModelConfig
from .perceiver import Latents
from .residual import residual_of
from .states import States

PLAIN: Final = {"allocation": "equal", "pooling": "mean", "window": None, "mixing": 0}
"""Levers of the Perceiver -> the value that says they are not used."""


class MeanPool(nn.Module):
    """Teacher states of T tokens in, K means out."""

    def __init__(self, config: ModelConfig, layers: int, teacher_width: int) -> None:
        """Reads `mix` and `residual_start` of the config alone.

        Raises:
            ValueError: another latent width than the teacher's, or time, which a mean cannot carry;
                or a lever of the Perceiver that it does not have.
        """
        super().__init__()
        if config.latent_width != teacher_width or config.time:
            raise ValueError(
                f"a mean of teacher states is {teacher_width} wide and carries no time; "
                f"latent_width is {config.latent_width}, time is {config.time}"
            )
        if config.memory == "revise":
            raise ValueError("it reads no latents, so it has no memory that is rewritten (revise)")
        for name, plain in PLAIN.items():
            if (value := getattr(config, name)) != plain:
                raise ValueError(f"it has no {name}, which is {value!r} here and must be {plain!r}")
        self.pool = residual_of(config, layers)

    def forward(self, states: States, counts_B: Tensor, max_latents: int) -> Latents:
        """Means of equal segments; see `Perceiver.forward` for the arguments."""
        pool_BKT, position_BK, mask_BK = segments(states.mask_BT, counts_B, max_latents)
        return Latents(self.pool(states.h_BTLD, pool_BKT), mask_BK, position_BK)
