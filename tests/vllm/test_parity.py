"""Every state that vLLM shows is the one that transformers computes."""

import random

import pytest
import torch

from latentcomp.extract.teachers.vllm import engine
from latentcomp.models.layers import resolve_layers
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.format.schema import LayerRecord

from .conftest import Bench
from .parity import FLOAT32, assert_equal_states, documents_of, errors, rounding

pytestmark = pytest.mark.vllm

KINDS = ["lab", "moe", "dense"]
STEP = 256
"""Tokens of a step: longer documents are prefilled in chunks."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_of_every_token_is_that_of_transformers(models, kind):
    bench = Bench(models[kind])
    documents = documents_of(1, 2, 31, 32, 33, STEP - 1, STEP, STEP + 1, bench.context)
    layers = bench.every_layer
    with bench.vllm(documents, layers, step_tokens=STEP) as teacher:
        actual = teacher.states(documents, layers)
    assert all(state.dtype == torch.float32 for state in actual)
    expected = bench.expected(documents, layers)
    exact = bench.exact(documents[:-1], layers)  # of the longest it would take minutes
    assert_equal_states(actual, expected, rounding(expected[:-1], exact))


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_mean_entries_of_the_hugging_face_tuple(models, kind):
    bench = Bench(models[kind])
    numbers = (-2, -3, -(bench.blocks + 1))
    layers = resolve_layers(numbers, bench.blocks)
    (document,) = documents_of(40)
    with bench.vllm([document], layers) as teacher:
        (actual,) = teacher.states([document], layers)
    with torch.inference_mode():
        full = load_causal_lm(bench.name).model(
            torch.tensor([document]), output_hidden_states=True, use_cache=False
        )
    expected = torch.stack([full.hidden_states[n][0] for n in sorted(numbers)], dim=1)
    assert_equal_states([actual], [expected])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [-1, 1])
def test_off_by_one_in_the_layer_fails(models, kind, shift, monkeypatch):
    """The same comparison as above with ids that are one block away, as in "48 - 6 = 42"."""
    bench = Bench(models[kind])
    right = engine.engine_arguments

    def wrong(*arguments):
        changed = right(*arguments)
        config = changed["speculative_config"]["draft_model_config"]["hf_config"]
        ids = config["eagle_aux_hidden_state_layer_ids"]
        config["eagle_aux_hidden_state_layer_ids"] = [i + shift for i in ids]
        return changed

    monkeypatch.setattr(engine, "engine_arguments", wrong)
    layers = resolve_layers((-2, -3), bench.blocks)
    documents = documents_of(40, 7)
    with bench.vllm(documents, layers, cut=False) as teacher:
        actual = teacher.states(documents, layers)
    expected = bench.expected(documents, layers)
    with pytest.raises(AssertionError, match="relative error"):
        assert_equal_states(actual, expected)
    nearest = min(errors(a, b).min().item() for a, b in zip(actual, expected, strict=True))
    assert nearest > 100 * FLOAT32  # not one token would pass


def test_order_and_company_do_not_matter(models):
    bench = Bench(models["moe"])
    documents = documents_of(1, 3, 64, 100, 130, 257, 400)
    layers = bench.every_layer
    expected = bench.expected(documents, layers)
    rng = random.Random(0)
    with bench.vllm(documents, layers) as teacher:
        for document, state in zip(documents, expected, strict=True):
            assert_equal_states(teacher.states([document], layers), [state])
        for _ in range(4):
            order = rng.sample(range(len(documents)), len(documents))
            cut = rng.randrange(1, len(order))
            for part in (order[:cut], order[cut:]):
                actual = teacher.states([documents[i] for i in part], layers)
                assert_equal_states(actual, [expected[i] for i in part])
        twice = teacher.states([documents[4], documents[4]], layers)
        assert_equal_states(twice, [expected[4]] * 2)


def test_the_same_batch_gives_the_same_bits(models):
    bench = Bench(models["moe"])
    documents, layers = documents_of(5, 60, 300), bench.every_layer
    with bench.vllm(documents, layers) as teacher:
        first, second = (teacher.states(documents, layers) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_chunks_of_a_prefill_do_not_show(models):
    bench = Bench(models["moe"])
    documents, layers = documents_of(bench.context, 90, 1), bench.every_layer
    expected = bench.expected(documents, layers)
    for step in (33, 64, 4 * bench.context):
        with bench.vllm(documents, layers, step_tokens=step) as teacher:
            assert_equal_states(teacher.states(documents, layers), expected)


def test_prefix_caching_would_be_right_too(models):
    """It is off, because the last bits would depend on what was read before."""
    bench = Bench(models["moe"])
    (common, a, b) = documents_of(192, 70, 30)
    documents, layers = [common + a, common + b, common], bench.every_layer
    cached: list[int] = []
    with bench.vllm(documents, layers, prefix_caching=True) as teacher:
        step = teacher._engine._engine.step

        def watched():
            outputs = step()
            cached.extend(output.num_cached_tokens for output in outputs)
            return outputs

        teacher._engine._engine.step = watched
        actual = [teacher.states([document], layers)[0] for document in documents]
    assert_equal_states(actual, bench.expected(documents, layers))
    assert cached[0] == 0
    assert min(cached[1:]) >= 160  # they were not computed again


def test_prefix_caching_is_off(models):
    bench = Bench(models["dense"])
    settings = bench.settings([[1]], bench.every_layer)
    assert not settings.prefix_caching
    assert engine.engine_arguments(settings, "")["enable_prefix_caching"] is False


def test_the_state_after_the_last_block_is_before_the_norm(models):
    bench = Bench(models["dense"])
    (document,) = documents_of(20)
    last = [LayerRecord(blocks_completed=bench.blocks, post_norm=False)]
    with bench.vllm([document], last) as teacher:
        (actual,) = teacher.states([document], last)
        with pytest.raises(ValueError, match="not started for"):
            teacher.states([document], resolve_layers((-1,), bench.blocks))
    assert_equal_states([actual], bench.expected([document], last))
    (normed,) = bench.expected([document], resolve_layers((-1,), bench.blocks))
    assert errors(actual, normed).min() > 0.1


def test_columns_follow_the_order_that_was_asked_for(models):
    bench = Bench(models["dense"])
    (document,) = documents_of(9)
    layers = bench.every_layer
    with bench.vllm([document], layers) as teacher:
        (actual,) = teacher.states([document], [layers[2], layers[0]])
        (all_,) = teacher.states([document], layers)
    assert torch.equal(actual, all_[:, [2, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_the_deeper_blocks_away_changes_nothing(models, kind):
    bench = Bench(models[kind])
    documents = documents_of(50, 3)
    layers = resolve_layers((-3, -(bench.blocks + 1)), bench.blocks)
    states = {}
    for cut in (True, False):
        with bench.vllm(documents, layers, cut=cut) as teacher:
            config = teacher._engine._engine.vllm_config.model_config.hf_config
            assert config.num_hidden_layers == (bench.blocks - 2 if cut else bench.blocks)
            states[cut] = teacher.states(documents, layers)
    assert all(torch.equal(a, b) for a, b in zip(states[True], states[False], strict=True))


@pytest.mark.parametrize("documents", [[], [[]], [[1], []]])
def test_empty_batches_are_a_programming_error(models, documents):
    bench = Bench(models["dense"])
    layers = bench.every_layer
    with bench.vllm([[1, 2]], layers) as teacher, pytest.raises(ValueError, match="one token"):
        teacher.states(documents, layers)
