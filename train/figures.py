"""The figures of a step, on their way from the device to the curve.

To read a number off a GPU waits for all that was launched before: with the next documents launched
in between, for these too. So the copy is launched first, and waited for by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers by name, launched on the device and perhaps not here yet."""

    names: tuple[str, ...]
    values: Tensor
    """float32, on the host; of no meaning before `copied`."""
    copied: torch.cuda.Event | None
    """None where they are here."""

    def read(self) -> dict[str, float]:
        """Wait for them alone."""
        if self.copied is not None:
            self.copied.synchronize()
        return dict(zip(self.names, self.values.tolist(), strict=True))


def send(figures: Mapping[str, Tensor]) -> Figures:
    """Launch the copy of all figures to the host, in one.

    Args:
        figures: tensors of one number each, on one device; at least one.
    """
    values = torch.stack([figure.detach().float() for figure in figures.values()])
    if values.device.type != "cuda":
        return Figures(tuple(figures), values, None)
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()
    return Figures(tuple(figures), host, copied)
