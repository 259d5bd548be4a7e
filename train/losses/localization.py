"""Whether answers are read from the latents of the chunks that settle them.

Shapes: B = documents, C = context positions (the prompt's head, then K latents), K = latents, Q =
questions, E = evidence chunks, N = answer tokens, S = question positions, T = tokens.
"""

import torch
from torch import Tensor

from ...compressor.places import latent_of_token
from ..step import Step

_LEAST = 1e-6
"""Share of attention below which the loss grows no further: a head may round to zero."""


def localization(step: Step) -> Tensor:
    """-log of the share of attention that answers give the latents of their evidence, in nats.

    At each depth of `Step.reading.attention` [N, C], of what the predicting position of an answer
    token spends on latents, the share spent on those that stand for a token of an evidence chunk,
    mean over heads (of which few do the retrieving: arXiv 2404.15574). Mean over answer tokens and
    depths; questions without known evidence, or whose evidence has no latent of its own, are left
    out, and a batch of such questions has the loss 0. No paper in the references trains it.
    """
    live_NK, evidence_NK = latents_of_answers(step)
    counted_N = (live_NK & evidence_NK).any(-1)
    losses = []
    for weights_NC in step.reading.attention.values():
        on_latents_NK = weights_NC[:, -live_NK.shape[1] :] * live_NK
        share_N = (on_latents_NK * evidence_NK).sum(-1) / on_latents_NK.sum(-1).clamp(min=_LEAST)
        logs_N = share_N.clamp(min=_LEAST).log()
        losses.append(-(logs_N * counted_N).sum() / counted_N.sum().clamp(min=1))
    return torch.stack(losses).mean()


def latents_of_answers(step: Step) -> tuple[Tensor, Tensor]:
    """For each answer token, the latents of its document, and those of its question's evidence.

    Returns:
        Both bool [N, K].
    """
    questions, mask_BK = step.batch.questions, step.compressed.mask_BK
    rows_N, _ = questions.answer_BS.nonzero(as_tuple=True)
    if not questions.evidence_BQE.numel():
        return mask_BK[rows_N], torch.zeros_like(mask_BK[rows_N])
    question_N = questions.segment_BS[questions.answer_BS] - 1
    chunks_NE = questions.evidence_BQE[rows_N, question_N]
    states = step.batch.states
    token_of_latent_BKT = (
        latent_of_token(step.compressed, states)[:, None, :]
        == torch.arange(mask_BK.shape[1], device=mask_BK.device)[None, :, None]
    ) & states.mask_BT[:, None, :]
    chunks = torch.arange(int(states.chunk_BT.max()) + 1, device=mask_BK.device)
    in_chunk_BTG = (states.chunk_BT[:, :, None] == chunks) & states.mask_BT[:, :, None]
    holds_BKG = (token_of_latent_BKT.float() @ in_chunk_BTG.float()) > 0
    asked_NG = (chunks_NE[:, :, None] == chunks).any(1)
    return mask_BK[rows_N], (holds_BKG[rows_N] & asked_NG[:, None, :]).any(-1)
