"""One training step of a lab model: forward, backward, clip, update.

A thin, deep model launches thousands of small kernels a step, and Python cannot launch them as
fast as a GPU runs them. So on a GPU forward and backward are captured once as a CUDA graph and
replayed, which halved the time of a step (docs/LOG.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask

from ..models.segments import attention_mask
from .muon import StackedMuon
from .sequences import NO_HINT, LessonBatch
from .sparse_attention import sparse_mask, use_sparse_attention

WARM_UP: Final = 3
"""Eager steps before the capture, in which kernels are compiled and workspaces allocated."""


class Engine:
    """Holds a model, its optimiser and one flat buffer of all gradients."""

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        *,
        compiled: bool,
        captured: bool,
        world: int,
        matrix_lr: float | None = None,
        hints_at: Sequence[float] = (),
        sparse: bool = False,
    ) -> None:
        """Prepare a model that is already on its device.

        Args:
            model: a causal LM; the same weights in every process.
            lr: peak learning rate of AdamW.
            compiled: whether the blocks go through torch.compile.
            captured: whether a GPU replays a CUDA graph; without, every kernel is launched anew.
            world: processes whose gradients are averaged.
            matrix_lr: peak learning rate of Muon on the matrices of the blocks; None: AdamW there
                too.
            hints_at: depths at which the hints are to be known, one each, as shares of the blocks.
            sparse: whether attention skips what the mask hides; a GPU with `compiled` only.
        """
        self._mask: Callable[[Tensor], Tensor | BlockMask] = _dense_mask
        if sparse and compiled and next(model.parameters()).is_cuda:
            use_sparse_attention(model)  # type: ignore[arg-type]
            self._mask = sparse_mask
        self._model, self._world = model, world
        blocks = len(model.model.layers)  # type: ignore[union-attr, arg-type]
        # Shallow models may have two rows of hints at one depth.
        self._hint_depths = [max(1, round(share * blocks)) for share in hints_at]
        named = [(n, w) for n, w in model.named_parameters() if w.requires_grad]
        weights = [weight for _, weight in named]
        self._gradients = torch.zeros(sum(w.numel() for w in weights), device=weights[0].device)
        at = 0
        for weight in weights:
            weight.grad = self._gradients[at : at + weight.numel()].view_as(weight)
            at += weight.numel()
        self._captured = captured and self._gradients.is_cuda
        self._optimisers = _optimisers(named, lr, matrix_lr)
        self._captures: dict[torch.Size, _Capture] = {}
        block_type: Any = type(model.model.layers[0])  # type: ignore[union-attr, index]
        # The function and not each block: 48 compilations of the same code would take minutes.
        # One graph a length: with automatic dynamic shapes the second length is slow.
        forward = block_type.forward
        self._block = torch.compile(forward, dynamic=False) if compiled else forward

    def step(self, batch: LessonBatch, factor: float) -> tuple[Tensor, Tensor]:
        """One optimiser step; returns the loss and where the argmax token was right.

        Args:
            batch: sequences of this process.
            factor: on every peak learning rate.
        """
        loss, right = self._gradients_of(batch)
        if self._world > 1:
            torch.distributed.all_reduce(self._gradients)
            self._gradients /= self._world
        self._gradients *= (1.0 / (self._gradients.norm() + 1e-6)).clamp(max=1.0)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
        return loss, right

    def _gradients_of(self, batch: LessonBatch) -> tuple[Tensor, Tensor]:
        if not self._captured:
            return self._compute(batch.to(self._gradients.device))
        size = batch.ids.shape
        if size not in self._captures:
            self._captures[size] = self._capture(batch)
        else:
            self._captures[size].given.copy_from(batch)
        self._captures[size].graph.replay()
        return self._captures[size].result

    def _capture(self, batch: LessonBatch) -> "_Capture":
        """Record forward and backward on this batch's memory, and check that a replay is equal."""
        given = batch.to(self._gradients.device)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                plain, _ = self._compute(given)
        torch.cuda.current_stream().wait_stream(side)
        plain_norm = self._gradients.norm().clone()
        graph = torch.cuda.CUDAGraph()
        # Other threads (the watchdog of NCCL, say) may use the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = self._compute(given)
        graph.replay()
        for name, one, other in (
            ("loss", plain, result[0]),
            ("gradient norm", plain_norm, self._gradients.norm()),
        ):
            if not math.isclose(float(one), float(other), rel_tol=0.02):
                raise FloatingPointError(
                    f"the captured step has another {name} than the plain one: "
                    f"{float(other)} against {float(one)}"
                )
        return _Capture(graph, given, result)

    def _compute(self, batch: LessonBatch) -> tuple[Tensor, Tensor]:
        self._gradients.zero_()
        fast = batch.ids.is_cuda
        with torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=fast):
            states = self._states(batch, self._mask(batch.segment))
            embedding = self._model.get_input_embeddings().weight  # type: ignore[operator]
            logits = states[-1] @ embedding.T
            guesses = [states[depth] @ embedding.T for depth in self._hint_depths]
        loss, right = next_token_loss(logits, batch)
        for row, guess in enumerate(guesses):
            loss = loss + hint_loss(guess, batch.hint[:, row]) / len(guesses)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), right

    def _states(self, batch: LessonBatch, mask: Tensor | BlockMask) -> dict[int, Tensor]:
        """[B, T, D] after as many blocks as have hints, and under -1 after all; normalised."""
        body: Any = self._model.model
        hidden = body.embed_tokens(batch.ids)
        rotary = body.rotary_emb(hidden, batch.position)
        states: dict[int, Tensor] = {}
        for done, block in enumerate(body.layers, start=1):
            hidden = self._block(block, hidden, attention_mask=mask, position_embeddings=rotary)
            if done in self._hint_depths:
                states[done] = body.norm(hidden)
        return states | {-1: body.norm(hidden)}


@dataclass(slots=True)
class _Capture:
    """A captured step for batches of one shape."""

    graph: torch.cuda.CUDAGraph
    given: LessonBatch
    result: tuple[Tensor, Tensor]


def _dense_mask(segment: Tensor) -> Tensor:
    return attention_mask(segment, torch.bfloat16 if segment.is_cuda else torch.float32)


Named = list[tuple[str, nn.Parameter]]


def _optimisers(named: Named, lr: float, matrix_lr: float | None) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon for the matrices of the blocks if it has a rate."""
    if matrix_lr is None:
        return [_adamw(named, lr)]
    matrices = [(name, weight) for name, weight in named if _decays(name, weight)]
    rest = [(name, weight) for name, weight in named if not _decays(name, weight)]
    return [StackedMuon([weight for _, weight in matrices], matrix_lr), _adamw(rest, lr)]


def _decays(name: str, weight: nn.Parameter) -> bool:
    """Neither gains nor embeddings decay: a rare token must keep what sets it apart."""
    return weight.ndim >= 2 and "embed" not in name


def _adamw(named: Named, lr: float) -> torch.optim.AdamW:
    groups: list[dict[str, Any]] = [
        {"params": [w for name, w in named if _decays(name, w)], "weight_decay": 0.1, "peak": lr},
        {"params": [w for name, w in named if not _decays(name, w)], "weight_decay": 0, "peak": lr},
    ]
    filled = [group for group in groups if group["params"]]
    return torch.optim.AdamW(filled, lr=lr, betas=(0.9, 0.95), fused=named[0][1].is_cuda)


def next_token_loss(logits: Tensor, batch: LessonBatch) -> tuple[Tensor, Tensor]:
    """Weighted mean cross-entropy of the next token, and where the likeliest one was right.

    The first token of a segment is never predicted (weight 0), so the shift by one never
    crosses from one segment into the next.

    Args:
        logits: [B, T, V].
        batch: the sequences they belong to.
    """
    target, weight = batch.ids[:, 1:], batch.weight[:, 1:]
    losses = functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), target.flatten(), reduction="none"
    )
    loss = (losses * weight.flatten()).sum() / weight.sum()
    return loss, logits[:, :-1].argmax(-1) == target


def hint_loss(logits: Tensor, hint: Tensor) -> Tensor:
    """Mean cross-entropy of the hints, each at its own token; zero where a batch has none.

    Args:
        logits: [B, T, V], of a half-way block through the model's own norm and embeddings.
        hint: int64 [B, T], `NO_HINT` where there is none.
    """
    total = functional.cross_entropy(
        logits.float().flatten(0, 1), hint.flatten(), ignore_index=NO_HINT, reduction="sum"
    )
    return total / (hint != NO_HINT).sum().clamp(min=1)
