"""Losses on the injected vectors themselves: what a reader could make of each, and targets.

Shapes: B = documents, K = latents, R = width of the reasoner, T = tokens, V = vocabulary.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ...compressor.places import latent_of_token
from ..step import Step


def reconstruction(step: Step) -> Tensor:
    """Cross-entropy of the tokens of a latent's segment, told from its injected vector, in nats.

    The vector x [B, K, R] goes through the reasoner's own final norm and output embeddings (nothing
    is trained for it), and every token of the segment is a target of the one distribution [V]: a
    bag of tokens, without their order. Mean over tokens. An autoencoding loss as in ICAE (arXiv
    2307.06945) and at the grain of 2412.17483, which found it to help exact recall; SAC (ICLR
    2026) found that it hurts.
    """
    states, mask_BT = step.batch.states, step.batch.states.mask_BT
    logs_BKV = step.reasoner.unembed(step.compressed.x_BKR).float().log_softmax(-1)
    rows_N, _ = mask_BT.nonzero(as_tuple=True)
    latent_N = latent_of_token(step.compressed, states)[mask_BT]
    return -logs_BKV[rows_N, latent_N, step.batch.token_ids_BT[mask_BT]].mean()


def regression(step: Step) -> Tensor:
    """Squared distance of injected vectors from latents that were optimised for their document.

    In units of the mean square of the targets [B, K, R] (`latentcomp ceiling --save-latents`), mean
    over latents of the documents that have targets; 0 where none of the batch has. Per-document
    vectors show what the reader can use (Cramming, arXiv 2502.13063); that a compressor can be
    taught by regressing to them is a lead of this project and of no paper in the references.
    """
    assert step.targets is not None, "a training with this objective is given targets"
    compressed = step.compressed
    x_BKR, known_B = step.targets.of(step.batch.document_B, compressed.x_BKR)
    counted_BK = compressed.mask_BK & known_B[:, None]
    error_BK = functional.mse_loss(compressed.x_BKR.float(), x_BKR, reduction="none").mean(-1)
    size = x_BKR[counted_BK].square().mean() if bool(counted_BK.any()) else torch.ones(())
    return (error_BK * counted_BK).sum() / counted_BK.sum().clamp(min=1) / size.to(error_BK)
