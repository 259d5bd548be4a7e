"""The compressor and the projection: what each part promises."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import CorpusError, RecipeError
from latentcomp.compressor.allocation import latent_count, segments
from latentcomp.compressor.kinds import COMPRESSORS
from latentcomp.compressor.mean_pool import MeanPool
from latentcomp.compressor.model import ModelSpec, compress
from latentcomp.compressor.perceiver import Perceiver
from latentcomp.compressor.projection import OutputScale, Projection
from latentcomp.compressor.states import States, pad_states
from latentcomp.compressor.token_inputs import LayerMix, TimeEmbedding
from latentcomp.experiment.catalogue import recipes
from latentcomp.store.read.features import DocumentFeatures
from latentcomp.train.recipe import Recipe

from . import tiny
from .made import LAYERS, WIDTH, config_of, perceiver, states


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=4),
    st.integers(0, 20),
    st.sampled_from([1.0, 1.3, 2.0, 3.0, 4.0, 7.5, 16.0]),
)
def test_every_token_belongs_to_one_segment(lengths, extra, ratio):
    padded = max(lengths) + extra
    mask = torch.arange(padded)[None] < torch.tensor(lengths)[:, None]
    counts = torch.tensor([latent_count(n, ratio) for n in lengths])
    max_latents = int(counts.max()) + extra % 3
    pool, position, exists = segments(mask, counts, max_latents)
    for row, (tokens, count) in enumerate(zip(lengths, counts.tolist(), strict=True)):
        assert exists[row].tolist() == [True] * count + [False] * (max_latents - count)
        assert not pool[row, :, tokens:].any()
        assert not pool[row, count:].any()
        torch.testing.assert_close(pool[row, :count].sum(1), torch.ones(count))
        owners = (pool[row, :, :tokens] > 0).float()
        assert torch.equal(owners.sum(0), torch.ones(tokens))
        owner = owners.argmax(0)
        assert (owner.diff() >= 0).all()
        sizes = owners.sum(1)[:count]
        assert sizes.max() - sizes.min() <= 1
        middles = [float((owner == k).nonzero().float().mean()) for k in range(count)]
        torch.testing.assert_close(position[row, :count], torch.tensor(middles))


@given(st.integers(1, 3000), st.sampled_from([1.0, 1.1, 1.7, 2.0, 3.0, 3.3, 4.0, 7.7, 8.0, 15.0]))
def test_the_number_of_latents_follows_the_ratio(tokens, ratio):
    """Any ratio, any length: never more latents than there is room for."""
    mask = torch.ones(1, tokens, dtype=torch.bool)
    given_states = States(*([torch.zeros(0)] * 5))
    calls = []

    class Recorder(torch.nn.Module):
        spec = SimpleNamespace(config=config_of())

        def forward(self, _states, counts_B, max_latents):
            calls.append((int(counts_B[0]), max_latents))

    compress(Recorder(), replace(given_states, mask_BT=mask), ratio)
    ((count, max_latents),) = calls
    assert count == latent_count(tokens, ratio)
    assert tokens / ratio <= count < tokens / ratio + 1 + 1e-6
    assert count <= max_latents


@pytest.mark.parametrize(("tokens", "ratio", "expected"), [(1, 4, 1), (4, 4, 1), (5, 4, 2)])
def test_latents_are_rounded_up(tokens, ratio, expected):
    assert latent_count(tokens, ratio) == expected


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
)
def test_latents_depend_on_their_document_alone(others, padding, time, narrow):
    made = perceiver(time=time, latent_width=WIDTH - 2 * narrow)
    alone, among = states([21]), states([21, *others], max(21, *others) + padding)
    z = made(alone, torch.tensor([6]), 6)
    counts = torch.tensor([6, *(max(1, n // 3) for n in others)])
    crowd = made(among, counts, int(counts.max()) + 2)
    torch.testing.assert_close(z.z_BKE[0], crowd.z_BKE[0, :6], rtol=1e-3, atol=1e-4)
    assert torch.equal(z.position_BK[0], crowd.position_BK[0, :6])
    assert crowd.mask_BK.sum(1).tolist() == counts.tolist()


def test_latents_depend_on_every_layer_and_token():
    made, given_states = perceiver(time=False), states([20])
    z = made(given_states, torch.tensor([5]), 5).z_BKE
    for token in (0, 9, 19):
        for layer in range(LAYERS):
            h = given_states.h_BTLD.clone()
            h[0, token, layer] *= -1
            changed = made(replace(given_states, h_BTLD=h), torch.tensor([5]), 5).z_BKE
            assert ((changed - z).abs().amax(-1) > 1e-6).all(), (token, layer)


@pytest.mark.parametrize("field", ["day_BT", "bucket_BT", "chunk_BT"])
@pytest.mark.parametrize("time", [True, False])
def test_time_matters_only_where_the_config_has_it(time, field):
    made, given_states = perceiver(time=time), states([20])
    z = made(given_states, torch.tensor([5]), 5).z_BKE
    changed = (getattr(given_states, field) + 1) % 3
    other = made(replace(given_states, **{field: changed}), torch.tensor([5]), 5).z_BKE
    assert torch.allclose(z, other, atol=1e-6) is not time
    assert (made.time is not None) is time


DAYS_THAT_CANNOT_BE_TOLD = (100_000, 20_261_128, 1_790_000_000, -2, -40_000)


@pytest.mark.parametrize("day", DAYS_THAT_CANNOT_BE_TOLD)
def test_days_that_cannot_be_told_are_refused(day):
    """Its digits would be those of another day, or it would count as no day at all."""
    one = DocumentFeatures(
        document_id="d1",
        states=torch.zeros(4, 1, 8),
        token_ids=torch.zeros(4, dtype=torch.int64),
        spans=np.array([0, 2, 4]),
        days=np.array([-1, day] if day > 0 else [day, -1]),
        buckets=np.array([0, 2]),
    )
    with pytest.raises(CorpusError, match=f"'d1' has day {day}, and .* days from 0 to 99,999"):
        pad_states([one])
    for told in ([-1, -1], [0, 99_999]):
        assert pad_states([replace(one, days=np.array(told))]).day_BT[0, 3] == told[1]


@given(st.integers(-1, 99_999), st.integers(-1, 99_999))
def test_days_are_embedded_apart_whether_seen_or_not(one, other):
    torch.manual_seed(0)
    embedding = TimeEmbedding(16, 0.02)
    days = torch.tensor([[one, other]])
    same = torch.zeros_like(days)
    first, second = embedding(States(torch.zeros(1, 2, 1, 1), same.bool(), same, same, days))[0]
    assert torch.equal(first, second) == (one == other)


def test_more_chunks_than_there_are_embeddings():
    made, given_states = perceiver(), states([8])
    far = replace(given_states, chunk_BT=given_states.chunk_BT + 5000)
    assert torch.isfinite(made(far, torch.tensor([2]), 2).z_BKE).all()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_shares_of_the_layers_add_up_to_one(logits):
    mix = LayerMix(len(logits), WIDTH, 16, learned=True)
    mix.logits.data = torch.tensor(logits)
    torch.testing.assert_close(mix.shares().sum(), torch.tensor(1.0))
    assert (mix.shares() > 0).all()


def means(given_states, count):
    """Each layer at an RMS of one, averaged over layers and equal segments; one document."""
    h = given_states.h_BTLD[0]
    unit = h / h.square().mean(-1, keepdim=True).sqrt()
    return unit.mean(1).unflatten(0, (count, -1)).mean(1)


def test_the_first_latents_are_means_of_the_states():
    torch.manual_seed(0)
    made, given_states = Perceiver(config_of(blocks=1), LAYERS, WIDTH), states([20])
    z = made(given_states, torch.tensor([5]), 5).z_BKE[0]
    torch.testing.assert_close(z, means(given_states, 5), rtol=1e-3, atol=1e-4)


def test_mean_pooling_is_what_the_perceiver_begins_with_and_learns_the_layers_alone():
    made, given_states = MeanPool(config_of(time=False), LAYERS, WIDTH), states([20])
    latents = made(given_states, torch.tensor([5]), 5)
    torch.testing.assert_close(latents.z_BKE[0], means(given_states, 5), rtol=1e-3, atol=1e-4)
    assert latents.mask_BK.all() and latents.position_BK[0].tolist() == [1.5, 5.5, 9.5, 13.5, 17.5]
    assert [name for name, _ in made.named_parameters()] == ["pool.logits"]


@pytest.mark.parametrize("changes", [{"time": True}, {"time": False, "latent_width": WIDTH - 2}])
def test_a_mean_cannot_carry_time_or_another_width(lm, changes):
    with pytest.raises(ValueError, match="a mean of teacher states"):
        MeanPool(config_of(**changes), LAYERS, WIDTH)
    spec = tiny.spec_of(lm, kind="mean_pool", **changes)
    with pytest.raises(RecipeError, match="mean_pool") as caught:
        spec.build()
    assert "\n" not in str(caught.value) and "--set" in str(caught.value)


def test_an_unknown_kind_is_one_line_with_those_there_are(lm):
    with pytest.raises(RecipeError) as caught:
        tiny.spec_of(lm, kind="transformer").build()
    assert all(kind in str(caught.value) for kind in ("transformer", *COMPRESSORS))


def learned(module):
    return {name for name, weight in module.named_parameters() if weight.requires_grad}


def test_an_equal_mix_stays_equal():
    made = perceiver(mix="equal")
    assert learned(perceiver()) - learned(made) == {"mix.logits", "residual.logits"}
    assert made.mix.shares().tolist() == pytest.approx([1 / LAYERS] * LAYERS)
    assert list(learned(MeanPool(config_of(time=False, mix="equal"), LAYERS, WIDTH))) == []


def test_learned_queries_start_alike_in_every_segment():
    """Without blocks a query is the latent: only a local mean knows its segment."""
    given_states, counts = states([20]), torch.tensor([5])
    for queries, alike in (("learned", True), ("local_mean", False)):
        made = perceiver(queries=queries, blocks=0, residual=False)
        z = made(given_states, counts, 5).z_BKE[0]
        assert torch.allclose(z, z[:1].expand_as(z), atol=1e-6) is alike


@pytest.mark.parametrize(
    ("changes", "pooled"),
    [({}, True), ({"residual": False}, False), ({"latent_width": WIDTH - 2}, False)],
)
def test_where_there_is_a_residual(changes, pooled):
    made = Perceiver(config_of(**changes), LAYERS, WIDTH)
    assert (made.residual is not None) is pooled
    assert bool(made.out.weight.any()) is not pooled, "zero beside a residual, else it must speak"


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda recipe: recipe.name)
def test_every_recipe_builds_and_its_record_builds_the_same(lm, recipe):
    spec = tiny.spec_of(lm, **recipe.model.model_dump())
    again = ModelSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    model, same = spec.build(), again.build()
    assert {n: w.shape for n, w in model.state_dict().items()} == {
        n: w.shape for n, w in same.state_dict().items()
    }
    same.load_state_dict(model.state_dict())
    batch = tiny.batch_of(lm, tiny.documents(1))
    compressed = compress(model, batch.states, recipe.ratios[0])
    tokens = int(batch.tokens_B[0])
    assert int(compressed.mask_BK.sum()) == latent_count(tokens, recipe.ratios[0])
    assert torch.equal(compressed.x_BKR, compress(same, batch.states, recipe.ratios[0]).x_BKR)
    assert (compressed.position_BK is not None) == (recipe.model.positions == "tokens")
    assert (model.compressor.time is not None) == recipe.model.time
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_fixed_random_never_trains():
    projection = Projection("fixed_random", "fixed", 8, 12, 0.02, 1.0)
    assert list(projection.parameters()) == []
    again = Projection("fixed_random", "fixed", 8, 12, 0.02, 1.0)
    z = torch.randn(1, 3, 8)
    assert torch.equal(projection(z), again(z)), "another process has to have the same matrix"


@pytest.mark.parametrize("body", ["fixed_random", "learned"])
@pytest.mark.parametrize("kind", ["fixed", "learned", "free"])
@pytest.mark.parametrize("multiple", [1.0, 16.0])
@pytest.mark.parametrize("size", [1e-2, 1.0, 300.0])
def test_vectors_start_at_the_size_of_the_config(body, kind, multiple, size):
    torch.manual_seed(0)
    projection = Projection(body, kind, 8, 12, 0.02, multiple)
    x = projection(size * torch.randn(2, 5, 8))
    rms = x.square().mean(-1).sqrt()
    near = 0.05 if size < 0.1 else 0.02  # the epsilon of the norm shows at small sizes
    torch.testing.assert_close(rms, torch.full_like(rms, 0.02 * multiple), rtol=near, atol=0)


@pytest.mark.parametrize(("kind", "learned"), [("fixed", 0), ("learned", 1), ("free", 3)])
def test_what_of_the_scale_is_learned(kind, learned):
    scale = OutputScale(kind, 12, 0.02, 1.0)
    x = torch.randn(1, 4, 12)
    assert len(list(scale.parameters())) == learned
    with torch.no_grad():
        for weight in scale.parameters():
            weight.add_(0.1)
    rms = scale(x).square().mean(-1).sqrt()[0]
    unequal = bool((rms.max() / rms.min()) > 1.01)
    assert unequal == (kind == "free")
    assert bool((rms > 0.021).any()) == (kind != "fixed")


def test_the_learned_projection_starts_as_the_identity_between_equal_widths():
    projection = Projection("learned", "fixed", 8, 8, 1.0, 1.0)
    z = torch.randn(1, 3, 8)
    unit = z / z.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(projection(z), unit, rtol=1e-3, atol=1e-4)


def test_without_a_projection_latents_are_read_as_they_are_and_only_between_equal_widths():
    projection = Projection("identity", "fixed", 8, 8, 0.02, 16.0, normalise=False)
    assert list(projection.parameters()) == []
    z = torch.randn(1, 3, 8)
    torch.testing.assert_close(projection(z), 0.32 * z)
    with pytest.raises(RecipeError, match=r"8 numbers, it 12; give --set model.latent_width=12"):
        Projection("identity", "fixed", 8, 12, 0.02, 16.0)


LEVERS: list[dict[str, Any]] = [
    {},
    {"allocation": "learned_mass", "mass_floor": 0.1},
    {"start": "identity", "end_norm": False},
    {"residual_start": "last"},
    {"allocation": "learned_mass", "day_tokens": 2},
    {"allocation": "learned_mass", "day_tokens": 1, "mass_edges": "chunk"},
    {"allocation": "learned_mass", "mass_kind": "sigmoid", "mass_edges": "chunk"},
    {"allocation": "learned_mass", "mass_kind": "sigmoid", "mass_edges": "token"},
    {"allocation": "learned_mass", "mass_edges": "token", "day_tokens": 2},
    {"allocation": "learned_mass", "day_tokens": 2, "day_start": "tokens"},
    {
        "allocation": "learned_mass", "day_tokens": 1, "day_start": "tokens", "mass_edges": "token",
        "day_crowded": "shared",
    },
    {"pooling": "concat"},
    {"window": 1},
    {"mixing": 1, "mixing_window": 2},
    {"mixing": 1, "mixing_kind": "convolution", "mixing_window": 2},
    {
        "allocation": "learned_mass", "start": "identity", "end_norm": False, "pooling": "concat",
        "window": 1, "mixing": 2, "mixing_window": 2, "day_tokens": 3,
    },
]  # fmt: skip


@pytest.mark.parametrize("changes", LEVERS, ids=lambda changes: "-".join(changes) or "plain")
def test_levers_learn_under_autocast_from_padded_documents(changes):
    """As on a GPU: gradients finite, every weight has one, and rounding is all that differs."""
    made, given_states, counts = perceiver(**changes), states([21, 9], 30), torch.tensor([6, 3])
    plain = made(given_states, counts, 8)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(given_states, counts, 8)
    assert torch.isfinite(rounded.z_BKE).all()
    difference = (rounded.z_BKE.float() - plain.z_BKE)[plain.mask_BK]
    assert (
        difference.square().mean().sqrt() < 0.1 * plain.z_BKE[plain.mask_BK].square().mean().sqrt()
    )
    rounded.z_BKE[plain.mask_BK].float().square().sum().backward()
    gradients = {name: weight.grad for name, weight in made.named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None] == [], "DDP waits for these"
    assert all(bool(torch.isfinite(grad).all()) for grad in gradients.values() if grad is not None)


@pytest.mark.parametrize("changes", LEVERS, ids=lambda changes: "-".join(changes) or "plain")
def test_levers_leave_a_document_to_itself(changes):
    made = perceiver(**changes)
    if made.mass is not None:
        torch.nn.init.normal_(made.mass.down.weight)
    alone, among = states([21]), states([21, 40, 3], 50)
    z = made(alone, torch.tensor([6]), 6)
    crowd = made(among, torch.tensor([6, 9, 1]), 11)
    torch.testing.assert_close(z.z_BKE[0], crowd.z_BKE[0, :6], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(z.position_BK[0], crowd.position_BK[0, :6])
