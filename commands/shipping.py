"""Putting the checkpoint of a trial into the package, for those who have no GPU."""

from pathlib import Path
from typing import Final

import torch

from ..common.errors import CheckpointError
from ..experiment import shipped
from ..experiment.run_folder import RunFolder
from ..models.cached import given_name
from ..models.sources import SOURCES
from ..train import checkpoint

MOST_BYTES: Final = 24 * 10**6
"""Of the weights of one compressor: the package is downloaded by everyone."""
_BYTES: Final = {torch.float32: 4, torch.float16: 2, torch.bfloat16: 2}


def ship_checkpoint(run: Path, recipe: str, seed: int, dtype: str = "float32") -> Path:
    """Copy a checkpoint without its optimiser to where the package looks for it.

    That of a fetched model lies under the name of the model, any other under that of its recipe.

    Args:
        run: run folder.
        recipe: of the trial.
        seed: of the trial.
        dtype: precision of the weights: float32, float16 or bfloat16.

    Raises:
        CheckpointError: the trial has none, it is damaged, or too large for a package.
    """
    source = RunFolder(run).trial(recipe, seed).checkpoint
    precision: torch.dtype = getattr(torch, dtype)
    target = shipped.SHIPPED / recipe
    state = checkpoint.read_state(source)
    if (model := given_name(state.spec.teacher.name)) in SOURCES:
        target = shipped.real_folder(model)
        _check_size(state, precision)
    return checkpoint.publish(source, target, precision)


def _check_size(state: checkpoint.CheckpointState, dtype: torch.dtype) -> None:
    numbers = sum(weight.numel() for weight in state.spec.build().state_dict().values())
    if (size := numbers * _BYTES[dtype]) > MOST_BYTES:
        raise CheckpointError(
            f"{numbers:,} weights take {size / 1e6:.0f} MB in {dtype}, and a package has room for "
            f"{MOST_BYTES / 1e6:.0f} MB; give --dtype float16, or train a narrower one "
            "(`--set model.width=256`)"
        )
