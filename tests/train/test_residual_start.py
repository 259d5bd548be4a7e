"""What the mean-pooled states begin with: all layers alike, or one to which others are added."""

import pytest
import torch

from latentcomp.compressor.model import CompressionModel, ModelSpec, compress
from latentcomp.compressor.residual import MeanPoolResidual
from latentcomp.compressor.states import States
from latentcomp.experiment.phases import phase
from latentcomp.models.layers import resolve_layers
from latentcomp.reasoner.frozen import FrozenReasoner

from . import tiny
from .made import given_states, states

POOL = torch.eye(9)[None]


def model_of(lm, number, layers):
    """As a phase trains it, between a tiny model and itself."""
    config = phase(number).recipe.model
    rms = FrozenReasoner(lm).embedding_rms()
    return CompressionModel(ModelSpec.between(config, lm.identity, layers, lm.identity, rms)).eval()


def only(given, place):
    """The states of one layer."""
    fields = {name: getattr(given, name) for name in States.__slots__}
    return States(**{**fields, "h_BTLD": given.h_BTLD[:, :, [place]]})


@pytest.mark.parametrize("ratio", [1.5, 4.0, 16.0])
def test_phase_2_begins_as_phase_1(ratio):
    """So what its other layers bring or take is learned, and in neither is what it began with.

    The layers are resolved as a training does it, in a teacher of 48 blocks: states come in the
    order of depth and not in that of the recipe, and once phase 2 began with the wrong one.
    """
    lm = tiny.lm(3)
    control, layers = (resolve_layers(phase(number).recipe.layers, 48) for number in (1, 2))
    given = given_states([[9, 12], [5]], len(layers), lm)
    one = compress(model_of(lm, 1, control), only(given, layers.index(control[0])), ratio)
    all_of_them = compress(model_of(lm, 2, layers), given, ratio)
    assert torch.equal(one.mask_BK, all_of_them.mask_BK)
    torch.testing.assert_close(one.x_BKR, all_of_them.x_BKR, rtol=0, atol=0)


@pytest.mark.parametrize(("start", "place"), [("first", 0), ("last", 2)])
def test_one_layer_begins_alone_and_all_have_a_gradient(start, place):
    residual, given = MeanPoolResidual(3, learned=True, start=start), states([9])
    mixed = residual(given.h_BTLD, POOL)
    alone = given.h_BTLD[:, :, place]
    expected = alone / alone.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(mixed, expected, rtol=1e-5, atol=1e-5)
    mixed.square().sum().backward()
    assert residual.weights is not None and residual.weights.grad is not None
    assert residual.weights.grad.abs().min() > 1e-3, "in a softmax those at zero would have none"


@pytest.mark.parametrize(
    ("learned", "start", "shares"),
    [
        (True, "even", [1 / 3] * 3),
        (False, "even", [1 / 3] * 3),
        (True, "first", [1.0, 0.0, 0.0]),
        (True, "last", [0.0, 0.0, 1.0]),
        (False, "last", [1 / 3] * 3),  # equal weights are equal, whatever they begin as
    ],
)
def test_shares(learned, start, shares):
    residual = MeanPoolResidual(3, learned=learned, start=start)
    torch.testing.assert_close(residual.shares(), torch.tensor(shares))
    assert [weight.requires_grad for weight in residual.parameters()] == [learned]
