"""What a compressor takes, counted on the real one without computing or allocating anything."""

import functools
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ..compressor.config import ModelConfig
from ..compressor.model import CompressionModel, ModelSpec, compress
from ..compressor.states import States
from ..store.format.schema import LayerRecord, ModelIdentity


@dataclass(frozen=True, slots=True)
class CompressorNeeds:
    """Parameters, and what one document adds while training."""

    parameters: int
    kept_bytes: int
    """Kept for the backward pass of one document more, in mixed precision."""
    copied_bytes: int
    """Kept whatever the number of documents: weights in half the precision."""


@functools.lru_cache(maxsize=4)
def compressor_needs(
    config: str, hidden: int, layers: int, tokens: int, ratio: float
) -> CompressorNeeds:
    """Build a compressor out of tensors that have a shape and no memory, and run it forward.

    Args:
        config: of the compressor, as JSON, which a cache can have for a key.
        hidden: width of teacher and reasoner.
        layers: stored layers of each token.
        tokens: of the document.
        ratio: tokens per latent.

    Raises:
        RecipeError: the config does not fit the width.
    """
    model = _identity(hidden)
    records = tuple(LayerRecord(blocks_completed=n, post_norm=False) for n in range(1, layers + 1))
    made = ModelConfig.model_validate_json(config)
    spec = ModelSpec.between(made, model, records, model, 1.0)
    with (
        FakeTensorMode(),
        torch.autocast("cpu", dtype=torch.bfloat16),
        warnings.catch_warnings(action="ignore"),  # of kernels that will not run
    ):
        compressor = spec.build()
        parameters = sum(weight.numel() for weight in compressor.parameters())
        one, two = (_kept(compressor, _states(n, tokens, layers, hidden), ratio) for n in (1, 2))
    return CompressorNeeds(parameters, two - one, max(0, 2 * one - two))


def _kept(compressor: CompressionModel, states: States, ratio: float) -> int:
    """Bytes that the forward pass keeps besides the weights themselves."""
    ours = {weight.untyped_storage()._cdata for weight in compressor.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ours:
            alive.append(tensor)
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compress(compressor, states, ratio)
    return sum(kept.values())


def _states(documents: int, tokens: int, layers: int, hidden: int) -> States:
    shape = (documents, tokens)
    numbers = torch.zeros(shape, dtype=torch.int64)
    return States(
        torch.empty(*shape, layers, hidden, dtype=torch.bfloat16),
        torch.ones(shape, dtype=torch.bool),
        numbers,
        numbers,
        numbers,
    )


def _identity(hidden: int) -> ModelIdentity:
    return ModelIdentity(
        name="planned",
        revision=None,
        architecture="planned",
        blocks=1,
        hidden_size=hidden,
        weights_sha256="",
        tokenizer_sha256="",
    )
