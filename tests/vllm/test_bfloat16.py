"""In bfloat16 the two engines round in other places; what may be left of that, and why.

Both run the same bfloat16 weights. A bfloat16 has 8 bits of mantissa, so every one of the two
sums a block adds to the residual stream is rounded by up to 2^-9 of its length, and which values
are rounded where is the business of each engine's kernels. So neither is the truth: the measure
is float32 with the same weights, and the yardstick is how far transformers in bfloat16 is from it.

- vLLM may be twice as far, layer by layer: independent errors of one size, with room for other
  places of rounding.
- Twice transformers' own error is also far less than the way to the next block, so an off-by-one
  fails here as well.
- A mixture of experts sends a token elsewhere when a rounding decides between two experts of
  almost equal weight. Such tokens are another matter than rounding, so there the median counts.
"""

from dataclasses import replace

import pytest
import torch

from .conftest import Bench
from .parity import documents_of, errors

pytestmark = pytest.mark.vllm

TIMES = 2.0
GPU = pytest.mark.gpu


def layer_errors(actual, expected):
    """[layers] median over all tokens of their relative errors."""
    pairs = zip(actual, expected, strict=True)
    return torch.cat([errors(mine, theirs) for mine, theirs in pairs]).median(dim=0).values


@pytest.mark.parametrize(
    ("kind", "device"),
    [
        ("lab", "cpu"),
        ("moe-bf16", "cpu"),
        ("dense-bf16", "cpu"),
        pytest.param("wide-bf16", "cuda", marks=GPU),
        pytest.param("dense-bf16", "cuda", marks=GPU),
    ],
)
def test_rounding_is_of_the_size_of_that_of_transformers(models, kind, device):
    bench = Bench(models[kind], dtype="bfloat16", device=device)
    documents = documents_of(1, 40, 200)
    layers = bench.every_layer
    with bench.vllm(documents, layers) as teacher:
        actual = teacher.states(documents, layers)
    assert all(state.dtype == torch.bfloat16 for state in actual)
    truth = replace(bench, device="cpu").expected(documents, layers, dtype="float32")
    own = layer_errors(bench.expected(documents, layers), truth)
    mine = layer_errors(actual, truth)
    assert torch.equal(actual[1][:, 0].float(), truth[1][:, 0])  # the embeddings are exact
    assert (mine <= TIMES * own).all(), (mine, own)
    # The state one block earlier is further away than any of that.
    shifted = [state[:, :-1] for state in actual]
    wrong = layer_errors(shifted, [state[:, 1:] for state in truth])
    assert (wrong > TIMES * own[1:]).all(), (wrong, own)
