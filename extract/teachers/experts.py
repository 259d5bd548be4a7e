"""A mixture of experts for long rows: sort the tokens by expert, two grouped products, combine.

Registered with transformers' experts interface as `latentcomp`. It computes what the library's
`grouped_mm` does, in a form that a compiler can fuse: the product is one opaque node, gathering
the tokens and weighing and adding the experts' outputs are one kernel each, and nothing waits
for a count on the host.

Axis letters: T tokens, K experts a token, S = T * K rows sorted by expert, E experts, D hidden
size, F width of an expert.
"""

from typing import Any

import torch
from torch.nn import functional

NAME = "latentcomp"


@torch.library.custom_op("latentcomp::grouped_product", mutates_args=())
def grouped_product(rows: torch.Tensor, weights: torch.Tensor, stops: torch.Tensor) -> torch.Tensor:
    """Rows [S, in] of each expert with its own weights [E, out, in]: [S, out].

    `stops` [E] int32 is the end of each expert's rows.
    """
    return functional.grouped_mm(rows, weights.transpose(1, 2), offs=stops)


@grouped_product.register_fake
def _shape(rows: torch.Tensor, weights: torch.Tensor, stops: torch.Tensor) -> torch.Tensor:
    return rows.new_empty(rows.shape[0], weights.shape[1])


def experts_forward(
    module: Any,  # noqa: ANN401 - the experts of any architecture
    hidden: torch.Tensor,
    expert_ids: torch.Tensor,
    shares: torch.Tensor,
) -> torch.Tensor:
    """The weighed sum of each token's experts.

    Args:
        module: experts with gate_up_proj [E, 2F, D] and down_proj [E, D, F].
        hidden: [T, D].
        expert_ids: [T, K] of the chosen experts.
        shares: [T, K] their weights.
    """
    tokens, chosen = expert_ids.shape
    # Few bits to sort by: a radix sort passes over them bit by bit.
    ids, order = torch.sort(expert_ids.reshape(-1).to(torch.int16), stable=True)
    experts = torch.arange(module.num_experts, device=ids.device, dtype=torch.int16)
    stops = torch.searchsorted(ids, experts, right=True).to(torch.int32)
    gate_up = grouped_product(hidden[order // chosen], module.gate_up_proj, stops)
    down = grouped_product(module._apply_gate(gate_up), module.down_proj, stops)
    place = torch.empty_like(order)
    place[order] = torch.arange(tokens * chosen, device=order.device)
    outputs_TKD = down[place].view(tokens, chosen, -1).float()
    combined: torch.Tensor = (outputs_TKD * shares[..., None].float()).sum(1)
    return combined.to(hidden.dtype)


def supports(module: Any) -> bool:  # noqa: ANN401
    """True for experts with a gate, without biases, whose weights lie as [E, out, in]."""
    return bool(
        getattr(module, "has_gate", False)
        and not getattr(module, "has_bias", True)
        and not getattr(module, "is_transposed", True)
        and not getattr(module, "_is_expert_parallel", False)
    )


def register() -> None:
    """Make it known to transformers; harmless when done twice."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, experts_forward)
