"""One training step of a lab model: forward, backward, clip, update.

A thin, deep model launches thousands of small kernels a step, and Python cannot launch them as
fast as a GPU runs them. So on a GPU forward and backward are captured once as a CUDA graph and
replayed, which halved the time of a step (docs/LOG.md).
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....segments import attention_mask
from .sequences import Batch

WARM_UP: Final = 3
"""Plain steps before the capture: kernels are compiled and workspaces allocated in them."""


class Engine:
    """Holds a model, its optimiser and one flat buffer of all gradients."""

    def __init__(
        self, model: nn.Module, rate: float, *, compiled: bool, captured: bool, world: int
    ) -> None:
        """Prepare a model that is already on its device.

        Args:
            model: a causal LM; the same weights in every process.
            rate: learning rate, set again before every step.
            compiled: whether the blocks go through torch.compile.
            captured: whether a GPU replays a CUDA graph; without, every kernel is launched anew.
            world: processes whose gradients are averaged.
        """
        self._model, self._world, self._captured = model, world, captured
        named = [(n, w) for n, w in model.named_parameters() if w.requires_grad]
        weights = [weight for _, weight in named]
        self._gradients = torch.zeros(sum(w.numel() for w in weights), device=weights[0].device)
        at = 0
        for weight in weights:
            weight.grad = self._gradients[at : at + weight.numel()].view_as(weight)
            at += weight.numel()
        self._optimiser = _adamw(named, rate)
        self._graph: torch.cuda.CUDAGraph | None = None
        if compiled:
            for block in model.model.layers:  # type: ignore[union-attr]
                # One graph a length: with automatic dynamic shapes the second length is slow.
                block.compile(dynamic=False)

    def step(self, batch: Batch, rate: float) -> tuple[Tensor, Tensor]:
        """Learn from one batch; returns the loss and where the likeliest token was right."""
        loss, right = self._gradients_of(batch)
        if self._world > 1:
            torch.distributed.all_reduce(self._gradients)
            self._gradients /= self._world
        self._gradients *= (1.0 / (self._gradients.norm() + 1e-6)).clamp(max=1.0)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        return loss, right

    def _gradients_of(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if not (self._gradients.is_cuda and self._captured):
            return self._compute(batch.to(self._gradients.device))
        if self._graph is None:
            self._capture(batch)
        else:
            self._given.copy_from(batch)
        assert self._graph is not None
        self._graph.replay()
        return self._result

    def _capture(self, batch: Batch) -> None:
        """Record forward and backward on this batch's memory, and check that a replay is equal."""
        self._given = batch.to(self._gradients.device)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                plain, _ = self._compute(self._given)
        torch.cuda.current_stream().wait_stream(side)
        plain_norm = self._gradients.norm().clone()
        self._graph = torch.cuda.CUDAGraph()
        # Other threads (the watchdog of NCCL, say) may use the GPU meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._result = self._compute(self._given)
        self._graph.replay()
        for name, one, other in (
            ("loss", plain, self._result[0]),
            ("gradient norm", plain_norm, self._gradients.norm()),
        ):
            if not math.isclose(float(one), float(other), rel_tol=0.02):
                raise FloatingPointError(
                    f"the captured step has another {name} than the plain one: "
                    f"{float(other)} against {float(one)}"
                )

    def _compute(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self._gradients.zero_()
        fast = batch.ids.is_cuda
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=fast):
            mask = attention_mask(batch.segment, torch.bfloat16 if fast else torch.float32)
            hidden = self._model.model(  # type: ignore[operator]
                input_ids=batch.ids,
                attention_mask=mask,
                position_ids=batch.position,
                use_cache=False,
            ).last_hidden_state
            logits = hidden @ self._model.get_input_embeddings().weight.T  # type: ignore[operator]
        loss, right = next_token_loss(logits, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), right


def _adamw(named: list[tuple[str, nn.Parameter]], rate: float) -> torch.optim.AdamW:
    """AdamW; neither gains nor embeddings decay: a rare token must keep what sets it apart."""
    decays = {name for name, weight in named if weight.ndim >= 2 and "embed" not in name}
    groups = [
        {"params": [weight for name, weight in named if name in decays], "weight_decay": 0.1},
        {"params": [weight for name, weight in named if name not in decays], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=named[0][1].is_cuda)


def next_token_loss(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Weighted mean cross-entropy of the next token, and where the likeliest one was right.

    The first token of a segment is never predicted (weight 0), so the shift by one never
    crosses from one segment into the next.

    Args:
        logits: [B, T, V].
        batch: the sequences they belong to.
    """
    target, weight = batch.target[:, 1:], batch.weight[:, 1:]
    losses = functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), target.flatten(), reduction="none"
    )
    loss = (losses * weight.flatten()).sum() / weight.sum()
    return loss, logits[:, :-1].argmax(-1) == target
