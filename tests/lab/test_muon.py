"""Muon on stacked matrices is torch's Muon, matrix by matrix."""

import pytest
import torch
from torch import nn

from latentcomp.lab.muon import ITERATIONS, MOMENTUM, StackedMuon, orthogonalised

SHAPES = {"wide": (6, 20), "tall": (20, 6), "square": (12, 12)}
RATE, DECAY = 0.02, 0.05


def matrices(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def both(shapes, steps=5):
    """(before, after `StackedMuon`, after torch's): the same gradients, a rate that changes."""
    mine, theirs, before = (matrices(shapes) for _ in range(3))
    stacked = StackedMuon(mine, RATE, DECAY)
    one_by_one = torch.optim.Muon(
        theirs,
        lr=RATE,
        weight_decay=DECAY,
        momentum=MOMENTUM,
        ns_steps=ITERATIONS,
        adjust_lr_fn="match_rms_adamw",
    )
    generator = torch.Generator().manual_seed(1)
    for step in range(steps):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for group in (*stacked.param_groups, *one_by_one.param_groups):
            group["lr"] = RATE * (step + 1)
        stacked.step()
        one_by_one.step()
    return before, mine, theirs


def errors(shapes):
    """Of every matrix the difference of the two, as a share of how far it has moved."""
    with torch.no_grad():
        for was, one, other in zip(*both(shapes), strict=True):
            moved = (other - was).norm()
            assert moved > 0.1
            yield float((one - other).norm() / moved)


MIXES = [["wide"], ["tall"], ["square"], list(SHAPES)]


@pytest.mark.parametrize("names", MIXES, ids="+".join)
def test_the_update_is_that_of_torch(names, monkeypatch):
    """In float32 nothing is left of the difference."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.float().clone())
    assert max(errors([SHAPES[name] for name in names for _ in range(3)])) < 1e-5


@pytest.mark.parametrize("names", MIXES, ids="+".join)
def test_the_difference_is_one_of_rounding(names):
    """Five iterations in bfloat16, rounded in another order."""
    assert max(errors([SHAPES[name] for name in names for _ in range(3)])) < 0.06


def test_matrices_of_one_shape_do_not_mix():
    """One without a gradient stays where it is, whatever the others do."""
    some = matrices([SHAPES["wide"]] * 3)
    before = [matrix.clone() for matrix in some]
    optimiser = StackedMuon(some, RATE, weight_decay=0.0)
    for number, matrix in enumerate(some):
        matrix.grad = torch.zeros_like(matrix) if number == 1 else torch.randn_like(matrix)
    optimiser.step()
    moved = [not torch.equal(one, other) for one, other in zip(some, before, strict=True)]
    assert moved == [True, False, True]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_singular_values_are_brought_near_one(shape):
    some = torch.randn(4, *shape, generator=torch.Generator().manual_seed(2))
    values = torch.linalg.svdvals(orthogonalised(some).float())
    assert values.min() > 0.5 and values.max() < 1.3
    assert torch.linalg.svdvals(some).max() > 3
