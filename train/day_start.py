"""Day tokens that begin as tokens of the reasoner: the one place where it is asked for them."""

from typing import Final

import torch

from ..common.errors import RecipeError
from ..compressor.model import CompressionModel
from ..compressor.perceiver import Perceiver
from ..reasoner.frozen import FrozenReasoner

WORD: Final = "Day"
"""What dated texts write before a day."""
DAYS: Final = "compressor.days.own.weight"
"""The tensor of a model that holds these vectors."""


def begin_days(model: CompressionModel, reasoner: FrozenReasoner) -> None:
    """Give day tokens the vectors that make the reasoner read its own; nothing without such.

    Args:
        model: with fresh weights.
        reasoner: whose tokens they begin as.

    Raises:
        RecipeError: latents do not reach the reasoner in its own basis and size at the start.
    """
    compressor, config = model.compressor, model.spec.config
    if not isinstance(compressor, Perceiver) or compressor.days is None:
        return
    if config.day_start != "tokens":
        return
    same = model.spec.latent_width == model.spec.reasoner.hidden_size
    if config.projection == "fixed_random" or config.end_norm or not same:
        raise RecipeError(
            "model.day_start: tokens need latents that reach the reasoner in its own basis and "
            f"size; projection is {config.projection}, end_norm {config.end_norm}, a latent has "
            f"{model.spec.latent_width} numbers and the reasoner {model.spec.reasoner.hidden_size};"
            " give --set model.projection=learned, --set model.end_norm=false, or "
            "--set model.day_start=given"
        )
    size = model.projection.scale.start.exp().cpu()
    with torch.no_grad():
        vectors = [_vector(reasoner, text) / size for text in (WORD, *"0123456789")]
        compressor.days.begin_as(vectors[0], torch.stack(vectors[1:]))


def _vector(reasoner: FrozenReasoner, text: str) -> torch.Tensor:
    """Input embedding of the last token of a text."""
    ids = torch.tensor(reasoner.lm.encode(text)[-1:], device=reasoner.device)
    return reasoner.embed(ids)[0].float().cpu()
