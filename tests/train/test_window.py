"""Local attention and token mixing: who may read whom, and that nothing else comes through."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.compressor.allocation import allocate_equally
from latentcomp.compressor.mixing import MIXERS, MixingLayer
from latentcomp.compressor.window import around_segments, around_tokens

from . import slow
from .made import WIDTH, perceiver, spread, states


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 4), st.integers(0, 9), st.data())
def test_a_window_is_the_segment_and_its_neighbours(tokens, extra, window, data):
    count = data.draw(st.integers(1, tokens))
    mask = torch.arange(tokens + extra)[None] < tokens
    pool = allocate_equally(mask, torch.tensor([count]), count + 1).pool_BKT
    near = around_segments(pool, mask, window)[0]
    for k in range(count):
        own = [t for t in range(tokens) if t * count // tokens == k]
        expected = [
            t < tokens and own[0] - window <= t <= own[-1] + window for t in range(tokens + extra)
        ]
        assert near[k].tolist() == expected
    assert near[count].tolist() == mask[0].tolist(), "padding latents need something to read"


@given(st.integers(1, 20), st.integers(0, 4), st.integers(0, 9))
def test_a_token_reads_its_neighbours(tokens, extra, window):
    mask = torch.arange(tokens + extra)[None] < tokens
    near = around_tokens(mask, window)[0]
    for i in range(tokens + extra):
        for j in range(tokens + extra):
            assert bool(near[i, j]) == (i == j or (abs(i - j) <= window and j < tokens))


def queries_of(made, given_states, count):
    """Tokens, queries and places, as they come to the first block."""
    text = made._sequence(given_states)
    x = made._mixed(text).x_BSW
    given_tokens = made._allocation(x, text, torch.tensor([count]), count)
    x = made.token_norm(x)
    return x, made._queries(x, given_tokens) + made.start, given_tokens.position_BK


@pytest.mark.parametrize("window", [0, 2, 50])
def test_cross_attention_reads_the_window_alone(window):
    made, given_states = spread(perceiver(window=window, blocks=1, time=False)), states([12])
    x, z, places = queries_of(made, given_states, 4)
    block = made.blocks[0]
    tokens, queries = slow.rows(x[0]), slow.rows(z[0])
    read = slow.attended(
        block.cross_attn,
        [slow.normed(block.cross_norm, q) for q in queries],
        slow.rows(places[0]),
        tokens,
        list(range(12)),
        lambda k, t: 3 * k - window <= t <= 3 * k + 2 + window,
    )
    after = [slow.added(q, r) for q, r in zip(queries, read, strict=True)]
    normed = [slow.normed(block.self_norm, q) for q in after]
    own = slow.attended(
        block.self_attn, normed, slow.rows(places[0]), normed, slow.rows(places[0]),
        lambda one, other: True,
    )  # fmt: skip
    after = [slow.added(q, r) for q, r in zip(after, own, strict=True)]
    after = [
        slow.added(q, slow.gated_mlp(block.mlp, slow.normed(block.mlp_norm, q))) for q in after
    ]
    made.residual = None
    expected = [slow.mapped(made.out, slow.normed(made.out_norm, q)) for q in after]
    slow.close(made(given_states, torch.tensor([4]), 4).z_BKE[0], expected, 1e-4)


def test_a_window_as_wide_as_the_document_is_no_window():
    wide, none = perceiver(window=100), perceiver()
    given_states, counts = states([21, 9], 30), torch.tensor([6, 3])
    one, other = (made(given_states, counts, 7).z_BKE for made in (wide, none))
    torch.testing.assert_close(one[0, :6], other[0, :6])
    torch.testing.assert_close(one[1, :3], other[1, :3])
    assert torch.isfinite(one).all() and torch.isfinite(perceiver(window=0)(
        given_states, counts, 7).z_BKE).all()  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(0, 19))
def test_what_lies_outside_of_a_window_changes_nothing(window, token):
    """Causality of a window, with the latents kept from telling each other."""
    made, given_states = perceiver(window=window, time=False), states([20])
    for block in made.blocks:
        torch.nn.init.zeros_(block.self_attn.out.weight)
    h = given_states.h_BTLD.clone()
    h[0, token] += 1
    before, after = (
        made(replace(given_states, h_BTLD=states_), torch.tensor([5]), 5).z_BKE[0]
        for states_ in (given_states.h_BTLD, h)
    )
    moved = [bool((before[k] - after[k]).abs().max() > 1e-6) for k in range(5)]
    assert moved == [4 * k - window <= token <= 4 * k + 3 + window for k in range(5)]


def layer(kind, window=2):
    torch.manual_seed(0)
    return spread(MixingLayer(kind, WIDTH, 2, window))


def slow_mixing(made, kind, tokens, window):
    normed = [slow.normed(made.mixer_norm, x) for x in tokens]
    if kind == "attention":
        places = list(range(len(tokens)))
        mixed = slow.attended(
            made.mixer.attention, normed, places, normed, places, lambda i, j: abs(i - j) <= window
        )
    else:
        weight, bias = (
            slow.rows(made.mixer.convolution.weight),
            slow.rows(made.mixer.convolution.bias),
        )
        mixed = []
        for t in range(len(tokens)):
            sums = list(bias)
            for offset in range(-window, window + 1):
                if 0 <= t + offset < len(tokens):
                    for channel, value in enumerate(normed[t + offset]):
                        sums[channel] += weight[channel][0][offset + window] * value
            mixed.append(slow.mapped(made.mixer.out, sums))
    after = [slow.added(x, m) for x, m in zip(tokens, mixed, strict=True)]
    return [slow.added(x, slow.gated_mlp(made.mlp, slow.normed(made.mlp_norm, x))) for x in after]


@pytest.mark.parametrize("kind", MIXERS)
@pytest.mark.parametrize("window", [1, 2, 30])
def test_mixing_is_that_of_one_token_after_the_other(kind, window):
    made = layer(kind, window)
    torch.manual_seed(1)
    x, mask = torch.randn(2, 11, WIDTH), torch.ones(2, 11, dtype=torch.bool)
    mask[1, 7:] = False
    mixed = made(x, torch.arange(11).expand(2, -1), mask)
    for row, tokens in ((0, 11), (1, 7)):
        expected = slow_mixing(made, kind, slow.rows(x[row, :tokens]), window)
        slow.close(mixed[row, :tokens], expected, 1e-4)
    assert torch.isfinite(mixed).all(), "padding too, or its gradient poisons the weights"


@pytest.mark.parametrize("kind", MIXERS)
def test_a_perceiver_mixes_before_it_has_latents(kind):
    changes = {"mixing": 2, "mixing_kind": kind, "mixing_window": 1, "window": 0, "time": False}
    made, given_states = perceiver(**changes), states([20])
    for block in made.blocks:
        torch.nn.init.zeros_(block.self_attn.out.weight)
    h = given_states.h_BTLD.clone()
    h[0, 9] += 1
    before, after = (
        made(replace(given_states, h_BTLD=states_), torch.tensor([5]), 5).z_BKE[0]
        for states_ in (given_states.h_BTLD, h)
    )
    # Two layers of one neighbour each: token 9 is heard of from 7 to 11, the segments 1 and 2.
    moved = [bool((before[k] - after[k]).abs().max() > 1e-6) for k in range(5)]
    assert moved == [False, True, True, False, False]
