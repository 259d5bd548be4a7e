"""Losses on what the reasoner answers: the right tokens, or its own reading of the document.

Shapes: N = answer tokens, V = vocabulary, B = documents, S = question positions, R = width.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..step import Step


def answer(step: Step) -> Tensor:
    """Cross-entropy of the answer tokens, mean over tokens, in nats."""
    return functional.cross_entropy(step.reading.logits_NV, step.reading.targets_N)


def alignment(step: Step) -> Tensor:
    """How far the reasoner's states are from those it has when it reads the document itself.

    Mean squared error between states [B, S, R] of the question positions at several depths, each
    brought to a root mean square of one (2412.17483 and CompLLM, arXiv 2509.19228, match states
    too).
    """
    live = step.batch.questions.segment_BS > 0
    errors = [
        functional.mse_loss(_unit(state[live]), _unit(step.full.states[depth][live]))
        for depth, state in step.reading.states.items()
    ]
    return torch.stack(errors).mean()


def distillation(step: Step) -> Tensor:
    """KL(full reading || reading of the latents) over the answer tokens [N, V], in nats.

    Covers all that the full reading holds likely. KV-Distill (arXiv 2503.10337) takes 0.6 of it
    and 0.4 of `reverse_distillation`: two weights of a recipe.
    """
    return _kl(_logs(step.full.logits_NV), _logs(step.reading.logits_NV))


def reverse_distillation(step: Step) -> Tensor:
    """KL(reading of the latents || full reading) over the answer tokens [N, V], in nats.

    Punishes what the full reading holds unlikely (MiniLLM, arXiv 2306.08543).
    """
    return _kl(_logs(step.reading.logits_NV), _logs(step.full.logits_NV))


def mixed_distillation(step: Step) -> Tensor:
    """Jensen-Shannon divergence of both readings over the answer tokens [N, V], in nats.

    Half of each divergence from their mean, so at most ln 2 whatever the reading (the generalised
    divergence of GKD, arXiv 2306.13649, at 1/2).
    """
    full, mine = _logs(step.full.logits_NV), _logs(step.reading.logits_NV)
    mean = torch.logaddexp(full, mine) - math.log(2)
    return (_kl(full, mean) + _kl(mine, mean)) / 2


def _logs(logits_NV: Tensor) -> Tensor:
    return logits_NV.log_softmax(-1)


def _kl(left_NV: Tensor, right_NV: Tensor) -> Tensor:
    """KL(left || right), mean over rows, both as log-probabilities."""
    return functional.kl_div(right_NV, left_NV, reduction="batchmean", log_target=True)


def _unit(x: Tensor) -> Tensor:
    return functional.rms_norm(x.float(), x.shape[-1:])
