"""How a compressor begins and ends: identity start, norms, slots beside the mean."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.compressor.model import compress
from latentcomp.compressor.perceiver import Perceiver
from latentcomp.compressor.projection import OutputScale, Projection
from latentcomp.compressor.slots import SlotConcat
from latentcomp.compressor.token_sequence import as_sequence

from . import slow, tiny
from .made import LAYERS, WIDTH, config_of, perceiver, spread, states
from .test_compressor import means


def slow_means(given_states, bounds):
    """Mean over layers and tokens of states at an RMS of one, by segment; one document."""
    h = slow.rows(given_states.h_BTLD[0])
    unit = [[slow.normed(torch.nn.RMSNorm(WIDTH), layer) for layer in token] for token in h]
    tokens = [[v / LAYERS for v in slow.added(*layers)] for layers in unit]
    return [[v / (stop - start) for v in slow.added(*tokens[start:stop])] for start, stop in bounds]


@pytest.mark.parametrize("mixing", [0, 1])
@pytest.mark.parametrize("kind", ["attention", "convolution"])
def test_an_identity_start_makes_blocks_add_nothing(mixing, kind):
    """Without a residual, what is left is a linear image of the mean of each segment."""
    torch.manual_seed(0)
    config = config_of(start="identity", residual=False, mixing=mixing, mixing_kind=kind)
    made, given_states = Perceiver(config, LAYERS, WIDTH), states([20])
    assert made.time is not None
    tokens = made.mix(given_states.h_BTLD) + made.time(given_states)
    assert torch.equal(made._mixed(made._sequence(given_states)).x_BSW, tokens)
    normed = [slow.normed(made.token_norm, x) for x in slow.rows(tokens[0])]
    queries = [
        slow.added([v / 4 for v in slow.added(*normed[4 * k : 4 * k + 4])], slow.rows(made.start))
        for k in range(5)
    ]
    expected = [slow.mapped(made.out, slow.normed(made.out_norm, q)) for q in queries]
    slow.close(made(given_states, torch.tensor([5]), 5).z_BKE[0], expected)
    fresh = Perceiver(config_of(residual=False, mixing=mixing, mixing_kind=kind), LAYERS, WIDTH)
    torch.nn.init.eye_(fresh.out.weight), torch.nn.init.eye_(made.out.weight)
    one, other = (each(given_states, torch.tensor([5]), 5).z_BKE for each in (fresh, made))
    assert (one - other).abs().max() > 1e-2, "fresh blocks add something"


@pytest.mark.parametrize("allocation", ["equal", "learned_mass"])
@pytest.mark.parametrize("pooling", ["mean", "concat"])
@pytest.mark.parametrize("start", ["fresh", "identity"])
def test_latents_begin_as_means_of_states(allocation, pooling, start):
    torch.manual_seed(0)
    config = config_of(allocation=allocation, pooling=pooling, start=start)
    made, given_states = Perceiver(config, LAYERS, WIDTH), states([20])
    bounds = [(4 * k, 4 * k + 4) for k in range(5)]
    z = made(given_states, torch.tensor([5]), 5).z_BKE[0]
    slow.close(z, slow_means(given_states, bounds), 1e-4)
    torch.testing.assert_close(z, means(given_states, 5), rtol=1e-3, atol=1e-4)


def test_every_weight_of_an_identity_start_learns_within_three_steps():
    torch.manual_seed(0)
    made, given_states = Perceiver(config_of(start="identity"), LAYERS, WIDTH), states([20, 11])
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2, weight_decay=0)
    wanted = torch.randn(2, 5, WIDTH)
    before = {name: weight.detach().clone() for name, weight in made.named_parameters()}
    for _ in range(3):
        z = made(given_states, torch.tensor([5, 3]), 5).z_BKE
        (z - wanted).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    still = {n for n, w in made.named_parameters() if torch.equal(w, before[n])}
    assert still == set()


def test_a_model_that_begins_as_the_identity_gives_the_mean_itself(lm):
    """Between equal widths, without the norm at the end: the reasoner sees means of embeddings."""
    spec = tiny.spec_of(lm, start="identity", end_norm=False, scale="fixed", scale_multiple=1.0)
    batch = tiny.batch_of(lm, tiny.documents(1))
    made = compress(spec.build(), batch.states, 4.0)
    h = batch.states.h_BTLD[0].float()
    unit = h / h.square().mean(-1, keepdim=True).sqrt()
    tokens = int(batch.tokens_B[0])
    count = int(made.mask_BK.sum())
    owner = [t * count // tokens for t in range(tokens)]
    for k in (0, 1, count - 1):
        own = [t for t in range(tokens) if owner[t] == k]
        expected = unit[own].mean((0, 1)) * spec.embedding_rms
        torch.testing.assert_close(made.x_BKR[0, k], expected, rtol=1e-3, atol=1e-5)


@given(st.floats(0.1, 30.0))
def test_without_the_norm_at_the_end_each_vector_keeps_its_size(size):
    torch.manual_seed(0)
    z = torch.randn(1, 3, 8)
    for body in ("learned", "fixed_random", "identity"):
        for normalise in (True, False):
            made = Projection(body, "fixed", 8, 8, 0.02, 16.0, normalise=normalise)
            once, more = made(z), made(size * z)
            factor = 1.0 if normalise else size
            torch.testing.assert_close(more, factor * once, rtol=1e-3, atol=1e-4)
    made = Projection("learned", "fixed", 8, 8, 0.02, 16.0, normalise=False)
    torch.testing.assert_close(made(z), z * 0.32)


@pytest.mark.parametrize("kind", ["fixed", "learned", "free"])
@pytest.mark.parametrize("normalise", [True, False])
def test_the_scale_is_that_of_one_vector_after_the_other(kind, normalise):
    scale = spread(OutputScale(kind, 8, 0.02, 3.0, normalise=normalise), std=0.1)
    torch.manual_seed(0)
    x = torch.randn(1, 4, 8)
    expected = []
    for vector in slow.rows(x[0]):
        unit = slow.normed(torch.nn.RMSNorm(8, elementwise_affine=False), vector)
        size = torch.tensor(0.06).double().log().item()
        if scale.log_gain is not None:
            size += 10 * scale.log_gain.item()
        if scale.per_latent_scale is not None:
            size += slow.mapped(scale.per_latent_scale, unit)[0]
        factor = torch.tensor(size).double().exp().item()
        expected.append([factor * v for v in (unit if normalise else vector)])
    slow.close(scale(x)[0], expected, 1e-4)


def test_the_last_norm_of_the_perceiver_goes_with_the_others():
    made = perceiver(end_norm=False, residual=False, blocks=0, time=False)
    given_states = states([20])
    z = made(given_states, torch.tensor([5]), 5).z_BKE
    made.start.data.zero_()
    made.token_norm.weight.data.mul_(3.0)
    without_start = made(given_states, torch.tensor([5]), 5).z_BKE
    made.token_norm.weight.data.div_(3.0)
    torch.testing.assert_close(without_start, 3 * made(given_states, torch.tensor([5]), 5).z_BKE)
    assert not torch.allclose(z, without_start)


@pytest.mark.parametrize(("tokens", "count"), [(12, 3), (13, 4), (25, 4), (5, 4), (40, 5), (1, 1)])
def test_slots_are_laid_side_by_side(tokens, count):
    """At 4x one token each; with more tokens means, with fewer some are empty."""
    torch.manual_seed(0)
    concat = spread(SlotConcat(4, WIDTH, 5))
    made = perceiver(pooling="concat", slots=4)
    mask = torch.ones(1, tokens + 2, dtype=torch.bool)
    mask[:, tokens:] = False
    x = torch.randn(1, tokens + 2, WIDTH)
    given_slots = made._allocation(
        x, as_sequence(x, mask, mask.long()), torch.tensor([count]), count
    ).slots_BST
    expected = []
    for k in range(count):
        row, bits = [], []
        for slot in range(4):
            own = [t for t in range(tokens) if t * count * 4 // tokens == 4 * k + slot]
            vectors = [slow.rows(x[0, t]) for t in own]
            mean = [v / len(own) for v in slow.added(*vectors)] if own else [0.0] * WIDTH
            row += [*mean, 1.0 if own else 0.0]
            bits.append(len(own))
        assert sum(bits) > 0
        expected.append(slow.mapped(concat.map, row))
    slow.close(concat(x, given_slots)[0], expected, 1e-4)


def test_concatenation_tells_apart_what_a_mean_cannot():
    """Tokens of a segment in another order: the residual of means alone is blind to it."""
    for pooling, blind in (("mean", True), ("concat", False)):
        made = perceiver(pooling=pooling, blocks=0, time=False)
        if made.residual_slots is not None:
            spread(made.residual_slots), spread(made.query_slots)
        given_states = states([20])
        before = made(given_states, torch.tensor([5]), 5).z_BKE
        given_states.h_BTLD[0, [4, 5, 6, 7]] = given_states.h_BTLD[0, [6, 4, 7, 5]]
        after = made(given_states, torch.tensor([5]), 5).z_BKE
        moved = (before - after).abs().amax(-1)[0] > 1e-4
        assert moved.tolist() == [False, not blind, False, False, False]


def test_slots_that_nothing_reads_are_not_there():
    made = perceiver(pooling="concat", queries="learned", residual=False)
    assert made.query_slots is None and made.residual_slots is None
    assert perceiver().query_slots is None
