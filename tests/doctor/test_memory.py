"""Assumption 3: the memory plan against real models, measured peaks, and its own sense."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from latentcomp.common.errors import TeacherError
from latentcomp.compressor.model import ModelSpec
from latentcomp.doctor import memory
from latentcomp.doctor.compressor import _identity, _kept, _states, compressor_needs
from latentcomp.doctor.settings import Settings
from latentcomp.experiment.phases import phase
from latentcomp.models import footprint
from latentcomp.models.architecture import Architecture, describe, load_architecture
from latentcomp.models.footprint import ControlStep, control, extraction
from latentcomp.models.precision import computes_again, resolved_dtype

from ..extract import tiny_models
from ..train.tiny import layers
from .counting import kept_for_backward, peak_of_reading


def qwen3_30b() -> Architecture:
    """The shipped preset."""
    architecture = load_architecture("qwen3-30b-a3b")
    assert architecture is not None
    return architecture


QWEN3_30B = qwen3_30b()

COMMON: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 256,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
SHAPES = {
    "moe": (Qwen3MoeConfig, Qwen3MoeForCausalLM, {
        "head_dim": 32, "num_experts": 8, "num_experts_per_tok": 4, "moe_intermediate_size": 96,
    }),
    "moe, all experts": (Qwen3MoeConfig, Qwen3MoeForCausalLM, {
        "head_dim": 64, "num_experts": 8, "num_experts_per_tok": 8, "moe_intermediate_size": 64,
    }),
    "dense, wide mlp": (Qwen3Config, Qwen3ForCausalLM, {
        "head_dim": 32, "intermediate_size": 1024,
    }),
    "dense, wide attention": (Qwen3Config, Qwen3ForCausalLM, {
        "head_dim": 128, "intermediate_size": 256,
    }),
}  # fmt: skip


def build(shape, blocks):
    config, model, numbers = SHAPES[shape]
    torch.manual_seed(0)
    made = model(config(num_hidden_layers=blocks, **COMMON, **numbers))
    return made.bfloat16().eval().requires_grad_(False)


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_takes_what_is_counted(shape):
    """Within 3 %: what is left out is a few bytes a token, of positions and norms."""
    model = build(shape, 2)
    counted = peak_of_reading(model, 2, 64) / 128
    planned = footprint.reading_bytes(describe(shape, model.config))
    assert planned == pytest.approx(counted, rel=0.03)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_keeps_what_is_counted(shape):
    """Within 1 %: the scale of each norm, one number a token, is left out."""
    two, one = (kept_for_backward(build(shape, blocks), 2, 64) for blocks in (2, 1))
    planned = footprint.kept_bytes(describe(shape, build(shape, 1).config))
    assert planned == pytest.approx((two - one) / 128, rel=0.01)


def test_parameters_are_those_of_the_model():
    for model in (tiny_models.tiny_qwen3(3), tiny_models.tiny_qwen3_moe(2)):
        real = sum(parameter.numel() for parameter in model.parameters())
        assert describe("tiny", model.config).parameters == real


def test_tied_embeddings_count_once():
    numbers: dict[str, Any] = {"num_hidden_layers": 1, "intermediate_size": 8, **COMMON}
    tied, untied = (
        describe("x", Qwen3Config(tie_word_embeddings=tie, **numbers)).parameters
        for tie in (True, False)
    )
    assert untied - tied == 400 * 256


# GB at the peak on one H200 (Qwen3-30B-A3B shape, transformers, nothing compiled or packed).
# They are given with one decimal; the plan may be a little high, and low only by rounding.
MEASURED = {
    "weights": (lambda: footprint.weights(QWEN3_30B), 61.1),
    "prefill 8 x 2,048": (
        lambda: extraction(QWEN3_30B, batch_tokens=16_384, layers=0).bytes, 63.5),
    "reader 4 x (256 + 64)": (
        lambda: control(QWEN3_30B, ControlStep(4, 256, 64, checkpointing=False)).bytes, 69.5),
    "reader 16 x (256 + 64), checkpointing": (
        lambda: control(QWEN3_30B, ControlStep(16, 256, 64)).bytes, 65.0),
    "reader 32 x (256 + 64), checkpointing": (
        lambda: control(QWEN3_30B, ControlStep(32, 256, 64)).bytes, 68.9),
}  # fmt: skip


@pytest.mark.parametrize("case", MEASURED)
def test_the_measured_peaks(case):
    plan, measured = MEASURED[case]
    assert measured - 0.1 <= plan() / 1e9 <= 1.01 * measured


counts = st.integers(1, 64)


@given(counts, counts, st.booleans())
def test_more_documents_take_more(a, b, checkpointing):
    few, many = sorted((a, b))
    small, large = (control(QWEN3_30B, ControlStep(n, 64, 16, checkpointing=checkpointing)).bytes
                    for n in (few, many))  # fmt: skip
    assert (small < large) if few < many else (small == large)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 49))
def test_more_tokens_take_more(a, b, layers):
    few, many = sorted((a, b))
    small, large = (extraction(QWEN3_30B, batch_tokens=n, layers=layers).bytes for n in (few, many))
    assert (small < large) if few < many else (small == large)


@given(st.integers(1, 64), st.integers(1, 2048), st.integers(1, 512))
def test_checkpointing_never_keeps_more_of_a_deep_model(documents, latents, question):
    on, off = (
        control(QWEN3_30B, ControlStep(documents, latents, question, checkpointing=flag)).bytes
        for flag in (True, False)
    )
    assert on < off


@pytest.mark.parametrize(("card_gb", "latents"), [(50.0, 64), (96.0, 64), (141.0, 256)])
def test_the_largest_that_fits_fits_and_one_more_does_not(card_gb, latents):
    wanted = Settings(card_gb=card_gb, latents=latents)
    card = card_gb * 1e9

    def fits(documents):
        step = memory.training_step(QWEN3_30B, wanted, documents)
        return control(QWEN3_30B, step).fits(card)

    most = memory.most_documents(QWEN3_30B, card, wanted)
    assert (most == 0 or fits(most)) and not fits(most + 1)
    tokens = memory.most_batch_tokens(QWEN3_30B, card, wanted)
    plans = [
        extraction(QWEN3_30B, batch_tokens=n, layers=3).fits(card) for n in (tokens, tokens + 1)
    ]
    assert (tokens == 0 or plans[0]) and not plans[1]


def test_the_card_of_96_gb():
    """It is enough, though `train` by default needs a little more; the finding names what fits."""
    finding = memory.check_memory(Settings(card_gb=96.0))
    assert finding.status == "ok" and "train --batch-size" in (finding.next_step or "")
    assert "smaller batches than the default ones" in finding.observed
    asked = memory.check_memory(Settings(card_gb=96.0, sizes_given=True))
    assert asked.status == "failed" and asked.next_step == finding.next_step
    assert set(finding.details["plans"]) == {"extraction", "train", "evaluate"}
    plan = finding.details["plans"]["extraction"]
    parts = sum(plan[name] for name in ("weights", "activations", "states"))
    assert plan["total"] == pytest.approx(parts)


@pytest.mark.parametrize("card_gb", [24.0, 67.0])
def test_a_card_that_is_too_small(card_gb):
    finding = memory.check_memory(Settings(card_gb=card_gb))
    assert finding.status == "failed" and "10% must stay free" in finding.observed
    assert finding.next_step is not None and "larger card" in finding.next_step


def test_a_step_that_is_too_large_names_the_largest():
    wanted = Settings(card_gb=96.0, documents_at_once=4000, sizes_given=True)
    finding = memory.check_memory(wanted)
    most = finding.details["largest_batch_size"]
    assert finding.status == "failed" and f"train --batch-size {most}" in (finding.next_step or "")
    assert memory.check_memory(Settings(card_gb=96.0, documents_at_once=most)).status == "ok"


def test_in_float32_nothing_of_it_fits():
    """The doctor said 67 GB where `train` and `evaluate` loaded 122 GB of weights."""
    finding = memory.check_memory(Settings(card_gb=96.0, dtype="float32"))
    assert finding.status == "failed"
    for plan in finding.details["plans"].values():
        assert plan["weights"] == pytest.approx(122.1, abs=0.1) and not plan["fits"]


@pytest.mark.parametrize("name", ["qwen3-30b-a3b", "lab"])
@pytest.mark.parametrize("asked", ["auto", "float32", "float16"])
def test_the_plan_is_in_the_precision_that_train_and_evaluate_load(name, asked):
    """On a card, as here there may be none: the rule is one function for all of them."""
    architecture = load_architecture(name)
    assert architecture is not None
    dtype = resolved_dtype(asked, name, "cuda")
    finding = memory.check_memory(Settings(card_gb=900.0, architecture=name, dtype=asked))
    weights = architecture.parameters * {"float32": 4}.get(dtype, 2) / 1e9
    assert finding.details["dtype"] == dtype
    assert {plan["weights"] for plan in finding.details["plans"].values()} == {weights}
    assert finding.details["checkpointing"] is computes_again(architecture.parameters)


@pytest.mark.parametrize("documents", [1, 3])
def test_a_compressor_takes_what_is_counted(documents):
    """The real one in mixed precision on the CPU, beside the one without memory."""
    config = phase(4).recipe.model.model_dump_json()
    needs = compressor_needs(config, 32, 2, 64, 4.0)
    spec = ModelSpec.between(phase(4).recipe.model, _identity(32), layers(1, 2), _identity(32), 1.0)
    model = spec.build()
    assert needs.parameters == sum(weight.numel() for weight in model.parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        kept = _kept(model, _states(documents, 64, 2, 32), 4.0)
    assert needs.copied_bytes + documents * needs.kept_bytes == pytest.approx(kept, rel=0.01)


def test_the_tenth_is_kept_spare():
    plan = footprint.MemoryPlan("x", (footprint.MemoryItem("all", 90.0),))
    assert plan.fits(100.0) and not plan.fits(99.9)


def test_the_card_is_that_of_the_machine(monkeypatch):
    class Card:
        total_memory = 7 * 10**9

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Card)
    assert memory.card_bytes(None) == 7e9
    assert memory.card_bytes(80.0) == 80e9
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert memory.card_bytes(None) == 96e9


def test_other_architectures(tmp_path):
    folder = tmp_path / "mine"
    tiny_models.tiny_qwen3(2).config.save_pretrained(folder)
    finding = memory.check_memory(Settings(architecture=str(folder), card_gb=96.0))
    assert finding.status == "ok" and finding.details["formula"].startswith("counted")
    missing = memory.check_memory(Settings(architecture="nobody/nowhere-7b"))
    assert missing.status == "unknown" and "config.json" in (missing.next_step or "")
    (folder / "config.json").write_text("{")
    assert memory.check_memory(Settings(architecture=str(folder))).status == "failed"


def test_another_family_is_called_an_estimate(tmp_path):
    config = {
        "model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 99,
        "architectures": ["GPT2LMHeadModel"],
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    finding = memory.check_memory(Settings(architecture=str(tmp_path), card_gb=96.0))
    assert finding.status == "ok" and "estimate" in finding.details["formula"]


def test_no_language_model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    with pytest.raises(TeacherError, match="not that of a causal language model"):
        load_architecture(str(tmp_path))
