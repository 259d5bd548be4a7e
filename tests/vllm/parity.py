"""The comparison that all these tests rest on."""

import torch

FLOAT32 = 1e-5
"""Relative error of a state that float32 allows: rounding of 6e-8 an operation, a few of them
a block, different kernels. A neighbouring layer is more than a hundred times that away."""


def errors(actual, expected):
    """[tokens, layers]: distance of each state from the expected one, relative to its length."""
    actual, expected = actual.double(), expected.double()
    return (actual - expected).norm(dim=-1) / expected.norm(dim=-1)


KERNELS = 8
"""How much farther other kernels may round than those of transformers do."""


def rounding(states, exact):
    """What a bound has to allow for a model: `FLOAT32`, or more where it amplifies rounding itself.

    A trained model of 48 blocks on tokens that mean nothing is, at some of them, 1e-5 away from
    its own states in float64 (the lab teacher, 256 tokens), so no kernel is held to less.
    """
    own = max(errors(one, other).max().item() for one, other in zip(states, exact, strict=True))
    return max(FLOAT32, KERNELS * own)


def assert_equal_states(actual, expected, bound=FLOAT32):
    """Every token of every document at every layer."""
    assert len(actual) == len(expected)
    for mine, theirs in zip(actual, expected, strict=True):
        assert mine.shape == theirs.shape
        assert torch.isfinite(mine).all()
        worst = errors(mine, theirs).max().item()
        assert worst <= bound, f"relative error {worst:.1e} of a state"


def documents_of(*lengths, first=1):
    """Token ids below 300, different from document to document and never periodic."""
    generator = torch.Generator().manual_seed(first)
    return [torch.randint(1, 300, (length,), generator=generator).tolist() for length in lengths]
