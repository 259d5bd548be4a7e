"""Weights in half of their bytes, for a package: what they lose is in the figures that follow."""

import hashlib

import torch
from safetensors.torch import load, save

from ..common.errors import CheckpointError


def rounded(data: bytes, dtype: torch.dtype) -> bytes:
    """A safetensors file with its floating-point tensors in another precision.

    Args:
        data: the file.
        dtype: float32 leaves it as it is, to the byte.

    Returns:
        A file whose metadata names the SHA-256 of the one that it was rounded from.

    Raises:
        CheckpointError: a weight is too large for the precision.
    """
    if dtype == torch.float32:
        return data
    tensors = {}
    for name, value in load(data).items():
        tensors[name] = value.to(dtype) if value.is_floating_point() else value
        if not torch.equal(tensors[name].isfinite(), value.isfinite()):
            raise CheckpointError(
                f"{name}: a weight of {float(value.abs().max()):.3g} is too large for {dtype}; "
                "give --dtype bfloat16"
            )
    return save(tensors, {"rounded_from": hashlib.sha256(data).hexdigest()})
