"""Controls keep what they should keep and lose what they should lose."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.evaluate.arms import controls


@given(st.integers(2, 60), st.integers(0, 1000))
def test_donors_are_one_cycle(count, seed):
    following = controls.donor_cycle(count, seed)
    at, seen = 0, []
    for _ in range(count):
        seen.append(at)
        at = following[at]
    assert at == 0
    assert sorted(seen) == list(range(count))
    assert controls.donor_cycle(count, seed) == following


def test_other_seeds_borrow_otherwise():
    assert len({tuple(controls.donor_cycle(8, seed)) for seed in range(20)}) > 15


@pytest.mark.parametrize("count", [0, 1])
def test_one_document_has_nobody_to_borrow_from(count):
    with pytest.raises(ValueError, match="at least 2"):
        controls.donor_cycle(count, 0)


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    return [3.0 * torch.randn(n, 8, generator=generator) for n in (4, 1, 9)]


def test_gaussian_keeps_norms_and_no_direction():
    given_latents = drawn(0)
    replaced = controls.random_directions(given_latents, 5)
    for mine, theirs in zip(replaced, given_latents, strict=True):
        assert mine.dtype == theirs.dtype
        torch.testing.assert_close(mine.norm(dim=-1), theirs.norm(dim=-1))
        cosine = torch.cosine_similarity(mine, theirs, dim=-1)
        assert (cosine.abs() < 0.99).all()
    again, other = (
        controls.random_directions(given_latents, 5),
        controls.random_directions(given_latents, 6),
    )
    assert all(torch.equal(a, b) for a, b in zip(again, replaced, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(other, replaced, strict=True))
    assert not torch.equal(replaced[0][0] / replaced[0][0].norm(), replaced[0][1])
