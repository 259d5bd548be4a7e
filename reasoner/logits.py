"""Logits of hidden states, as the model's own class computes them.

The output embeddings alone give the right order of tokens, and not the likelihoods: some families
cap or scale what comes out of them. What is not known here, the self-test refuses.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..models.loading import CausalLM


def logits_of(lm: CausalLM, hidden: Tensor) -> Tensor:
    """States behind the final norm [..., D] to logits [..., V]."""
    head: nn.Module = lm.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    logits: Tensor = head(hidden)
    config: Any = lm.model.config.get_text_config()
    if (scale := _number(config, "logit_scale")) is not None:  # Cohere
        logits = logits * scale
    if (scale := _number(config, "logits_scaling")) is not None:  # Granite
        logits = logits / scale
    if (scale := _number(config, "lm_head_multiplier")) is not None:  # Falcon-H1
        logits = logits * scale
    if (cap := _number(config, "final_logit_softcapping")) is not None:  # Gemma
        logits = torch.tanh(logits / cap) * cap
    return logits


def _number(config: Any, name: str) -> float | None:  # noqa: ANN401  any family's config
    value = getattr(config, name, None)
    return float(value) if isinstance(value, int | float) else None
