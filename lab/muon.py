"""Muon for a deep, thin model: matrices of one shape are orthogonalised together.

`torch.optim.Muon` goes from matrix to matrix. The lab teacher has 336 small ones, so that most of
its time would be kernel launches; stacked they are seven batches. A test compares the two.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

MOMENTUM: Final = 0.95
WEIGHT_DECAY: Final = 0.05
COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, as torch.optim.Muon has them."""
ITERATIONS: Final = 5


class StackedMuon(torch.optim.Optimizer):
    """Muon [Jordan et al. 2024] with the step size of AdamW (arXiv 2502.16982, eq. 4)."""

    def __init__(
        self, matrices: Sequence[nn.Parameter], lr: float, weight_decay: float = WEIGHT_DECAY
    ) -> None:
        """Group the matrices by shape.

        Args:
            matrices: 2-D weights of hidden layers; no embeddings.
            lr: peak learning rate, the group's `peak`.
            weight_decay: decoupled.
        """
        shapes: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            shapes.setdefault(matrix.shape, []).append(matrix)
        groups = [{"params": each, "peak": lr} for each in shapes.values()]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every matrix from its gradient."""
        for group in self.param_groups:
            matrices: list[Tensor] = group["params"]
            gradient = torch.stack([m.grad for m in matrices if m.grad is not None])
            state = self.state[matrices[0]]
            momentum = state.setdefault("momentum", torch.zeros_like(gradient))
            momentum.lerp_(gradient, 1 - MOMENTUM)
            update = orthogonalised(gradient.lerp(momentum, MOMENTUM))
            rows, columns = matrices[0].shape
            size = group["lr"] * 0.2 * max(rows, columns) ** 0.5
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(matrices, list(update.float().unbind()), alpha=-size)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices [N, m, n] with all singular values brought near one, bfloat16.

    Newton-Schulz iteration on the smaller side.
    """
    a, b, c = COEFFICIENTS
    x: Tensor = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
