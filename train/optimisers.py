"""Optimisers: a plain table, one function a row. Each returns what has to be stepped together.

Every group of weights carries `peak`, its learning rate before the schedule.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from .recipe import Optimiser

Make = Callable[[nn.Module, Optimiser, bool], list[torch.optim.Optimizer]]

BETAS: Final = (0.9, 0.95)


def adamw(model: nn.Module, settings: Optimiser, fused: bool) -> list[torch.optim.Optimizer]:
    """AdamW [Loshchilov & Hutter 2019, arXiv 1711.05101] on every weight."""
    return [_adamw(list(trained(model).values()), settings, fused)]


def muon(model: nn.Module, settings: Optimiser, fused: bool) -> list[torch.optim.Optimizer]:
    """Muon [Jordan et al. 2024] on the matrices, AdamW on embeddings, vectors and gains.

    Orthogonalised steps mean nothing for rows that are looked up one by one, nor for a matrix of
    one row: those stay with AdamW. Step sizes match AdamW's (`match_rms_adamw`, arXiv 2502.16982).
    """
    tables = {
        id(weight)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for weight in module.parameters()
    }
    weights = list(trained(model).values())
    matrices = [w for w in weights if w.ndim == 2 and min(w.shape) > 1 and id(w) not in tables]
    chosen = {id(weight) for weight in matrices}
    rest = [weight for weight in weights if id(weight) not in chosen]
    first = torch.optim.Muon(
        [{"params": matrices, "peak": settings.matrix_lr}],
        lr=settings.matrix_lr,
        weight_decay=settings.weight_decay,
        momentum=0.95,
        adjust_lr_fn="match_rms_adamw",
    )
    return [first, _adamw(rest, settings, fused)]


OPTIMISERS: Final[dict[str, Make]] = {"adamw": adamw, "muon": muon}


def set_lr(
    optimizers: Sequence[torch.optim.Optimizer], settings: Optimiser, step: int, progress: float
) -> float:
    """Give every group its learning rate of this step; returns that of the last group."""
    lr = 0.0
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            lr = group["lr"] = settings.lr_at(group["peak"], step, progress)
    return lr


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Weights that learn, by name."""
    return {name: w for name, w in model.named_parameters() if w.requires_grad}


def _adamw(weights: list[Tensor], settings: Optimiser, fused: bool) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights if w.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    filled = [group | {"peak": settings.lr} for group in groups if group["params"]]
    return torch.optim.AdamW(filled, lr=settings.lr, betas=BETAS, fused=fused)
