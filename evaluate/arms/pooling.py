"""Pooling without training: means over equal stretches, as many as the document has latents.

Shapes: T = tokens, K = latents, L = layers, D = width of the teacher, R = width of the reasoner.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ...models.sinks import ordinary_tokens
from ...reasoner.generate import Prefix
from ...store.read.features import DocumentFeatures
from ..bench import ArmInputs
from .head import head_tokens
from .text import embed_text, embed_tokens


def pooled_embeddings(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of the mean of the reasoner's own token embeddings over each stretch.

    Of the text with its days. Nothing is trained and no teacher is read.
    """
    lm, prefixes = inputs.bench.reasoner, list[Prefix]()
    for document, x_KR in zip(inputs.documents, inputs.vectors, strict=True):
        text_TR = embed_tokens(lm, lm.encode(document.dated_text))
        # At one latent a token the prompt's head has latents too, and there are more than tokens.
        means_KR = stretch_means(text_TR, min(len(x_KR), len(text_TR)))
        prefixes.append(_behind_head(inputs, means_KR))
    return prefixes


def pooled_states(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of mean states over each stretch, of the mean of all layers, as they are.

    Attention sinks are left out: one would fill the mean of its stretch, and the size of all. So
    are the tokens of the prompt's head but the last, which stand for nothing of the document.
    Scaled to the size of the reasoner's token embeddings. Where teacher and reasoner differ in
    width, the first numbers of each state, or zeros behind them.
    """
    width = _width(inputs)
    return _of_states(inputs, lambda mean_KD: _fit(mean_KD, width))


def random_states(inputs: ArmInputs) -> list[Prefix]:
    """The same through a random projection, which keeps distances and no direction."""
    generator = torch.Generator().manual_seed(inputs.seed)
    width = inputs.bench.model.spec.teacher.hidden_size
    matrix_DR = torch.randn(width, _width(inputs), generator=generator) / width**0.5
    return _of_states(inputs, lambda mean_KD: mean_KD @ matrix_DR)


def stretch_means(x_TD: Tensor, count: int) -> Tensor:
    """Means [K, D] over `count` stretches of a sequence [T, D] that differ by one at most.

    Raises:
        ValueError: more stretches than there are rows.
    """
    if not 1 <= count <= len(x_TD):
        raise ValueError(f"{count} stretches of {len(x_TD)} rows")
    ends = torch.arange(count + 1) * len(x_TD) // count
    sums_TD = torch.cat([torch.zeros_like(x_TD[:1]), x_TD.cumsum(dim=0)]).double()
    sums_KD = sums_TD[ends[1:]] - sums_TD[ends[:-1]]
    return (sums_KD / (ends[1:] - ends[:-1])[:, None].to(sums_KD)).to(x_TD.dtype)


def _of_states(inputs: ArmInputs, project: Callable[[Tensor], Tensor]) -> list[Prefix]:
    size, prefixes = _embedding_size(inputs), list[Prefix]()
    for features, x_KR in zip(inputs.bench.read(inputs.documents), inputs.vectors, strict=True):
        state_TD = _text_states(inputs, features).float().mean(dim=1)
        mean_KR = project(stretch_means(state_TD, min(len(x_KR), len(state_TD))))
        root = mean_KR.square().mean().sqrt().clamp_min(1e-6)
        prefixes.append(_behind_head(inputs, mean_KR * (size / root)))
    return prefixes


def _text_states(inputs: ArmInputs, features: DocumentFeatures) -> Tensor:
    """States [T, L, D] of the text and of the last token of the prompt's head, without sinks."""
    kept_T = ordinary_tokens(features.states)
    kept_T[: max(0, head_tokens(inputs.bench.reasoner, features.token_ids) - 1)] = False
    return features.states[kept_T]


def _behind_head(inputs: ArmInputs, x_KR: Tensor) -> Prefix:
    head_HR = embed_text(inputs.bench.reasoner, "")
    return Prefix.counted(torch.cat([head_HR, x_KR.to(head_HR)]))


def _embedding_size(inputs: ArmInputs) -> Tensor:
    """Root mean square of the reasoner's token embeddings, a number."""
    weight = inputs.bench.reasoner.model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.detach().float().square().mean().sqrt().cpu()


def _width(inputs: ArmInputs) -> int:
    return int(inputs.vectors[0].shape[-1])


def _fit(mean_KD: Tensor, width: int) -> Tensor:
    missing = max(0, width - mean_KD.shape[-1])
    return torch.nn.functional.pad(mean_KD, (0, missing))[:, :width]
