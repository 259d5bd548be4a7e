"""Rank of this process, from the environment variables of torchrun or Slurm."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..common.errors import LatentcompError

LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),  # torchrun
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
)
"""Variables for rank, world size and local rank; the first complete set counts."""


@dataclass(frozen=True, slots=True)
class Rank:
    """One of `world` processes that fill a store together."""

    rank: int = 0
    world: int = 1
    local: int = 0
    """Among the processes of this machine: which GPU is ours."""

    @property
    def first(self) -> bool:
        """True for rank 0, the only one that prints."""
        return self.rank == 0

    def device(self, requested: str) -> str:
        """The device of this process; processes on one machine get different GPUs."""
        import torch

        alone = self.world == 1 or requested not in ("auto", "cuda")
        if alone or not torch.cuda.is_available():
            return requested
        return f"cuda:{self.local % torch.cuda.device_count()}"


def rank_from(environment: Mapping[str, str] = os.environ) -> Rank:
    """The rank that torchrun or Slurm gave this process; alone where neither did.

    Raises:
        LatentcompError: a value is no number, or the rank is not among the processes.
    """
    for names in LAUNCHERS:
        if all(name in environment for name in names):
            return _read(names, environment)
    return Rank()


def _read(names: tuple[str, str, str], environment: Mapping[str, str]) -> Rank:
    variables = ", ".join(f"{name}={environment[name]}" for name in names)
    try:
        rank, world, local = (int(environment[name]) for name in names)
    except ValueError as error:
        raise LatentcompError(
            f"{variables} in the environment are not all whole numbers; start with torchrun or "
            f"srun, or unset {names[0]}"
        ) from error
    if not (0 <= rank < world and local >= 0):
        raise LatentcompError(
            f"{variables} in the environment do not fit each other; start with torchrun or srun, "
            f"or unset {names[0]}"
        )
    return Rank(rank, world, local)
