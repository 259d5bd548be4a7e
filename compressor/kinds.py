"""The kinds of compressor there are: a plain table, one function a row.

A kind takes a resolved `ModelConfig`, the number of teacher layers and the teacher's width, and
returns a module with `forward(states, counts_B, max_latents) -> Latents`. To add one, write its
file and its row.
"""

from collections.abc import Callable
from typing import Final

from torch import nn

from .config import ModelConfig
from .mean_pool import MeanPool
from .perceiver import Perceiver

Kind = Callable[[ModelConfig, int, int], nn.Module]

COMPRESSORS: Final[dict[str, Kind]] = {
    "perceiver": Perceiver,
    "mean_pool": MeanPool,
}
