"""Documents in one row: nothing passes from one to another, and each reads as if alone."""

import dataclasses
import sys
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
)

from latentcomp.common.errors import TeacherError
from latentcomp.extract.teachers.packing import pack
from latentcomp.extract.teachers.reading_mode import PADDED, ReadingMode, can_pack, restore_blocks
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.layers import resolve_layers

from . import tiny_models

MODELS = ["qwen3-6", "qwen3-48", "moe-4"]
PACKED = ReadingMode(packed=True)
LENGTHS = [1, 40, 23, 150, 7, 1, 64]
BOUND = 1e-5


@pytest.fixture(scope="module")
def documents():
    noise = torch.Generator().manual_seed(3)
    return [torch.randint(0, 300, (n,), generator=noise).tolist() for n in LENGTHS]


def far(states, wanted):
    """Largest relative distance of a layer of a document."""
    return max(
        float(((a - b).norm(dim=(0, 2)) / b.norm(dim=(0, 2))).max())
        for a, b in zip(states, wanted, strict=True)
    )


def layers_of(lm):
    return resolve_layers([-1, -2, -4], lm.identity.blocks)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("reading", [PACKED, PADDED], ids=str)
def test_together_as_one_by_one(loaded, name, reading, documents):
    lm = loaded[name]
    layers = layers_of(lm)
    alone = [TransformersTeacher(lm).states([document], layers)[0] for document in documents]
    states = TransformersTeacher(lm, reading).states(documents, layers)
    assert [state.shape for state in states] == [state.shape for state in alone]
    assert far(states, alone) < BOUND


@pytest.mark.parametrize("name", MODELS)
def test_any_order(loaded, name, documents):
    lm = loaded[name]
    teacher, layers = TransformersTeacher(lm, PACKED), layers_of(lm)
    alone = [teacher.states([document], layers)[0] for document in documents]
    for order in ([6, 5, 4, 3, 2, 1, 0], [3, 0, 5], [2, 2, 1]):
        states = teacher.states([documents[i] for i in order], layers)
        assert far(states, [alone[i] for i in order]) < BOUND


@pytest.mark.parametrize("name", MODELS)
def test_no_bit_of_a_neighbour_gets_through(loaded, name, documents):
    """Other tokens of the same number before and behind a document leave its bits as they are."""
    lm = loaded[name]
    teacher, layers = TransformersTeacher(lm, PACKED), layers_of(lm)
    before = teacher.states(documents, layers)
    for kept in (0, 3, 6):
        changed = [
            document if i == kept else [(token + 1) % 300 for token in document]
            for i, document in enumerate(documents)
        ]
        after = teacher.states(changed, layers)
        for i, (a, b) in enumerate(zip(after, before, strict=True)):
            same = torch.equal(a, b) if name != "moe-4" else far([a], [b]) < BOUND
            assert same == (i == kept), (kept, i)


def test_a_leak_would_show(lm, documents):
    """Read as one long document, the second one is another: the tests above can fail."""
    layers = layers_of(lm)
    teacher = TransformersTeacher(lm)
    (row,) = teacher.states([documents[1] + documents[2]], layers)
    (alone,) = teacher.states([documents[2]], layers)
    assert far([row[len(documents[1]) :]], [alone]) > 1000 * BOUND


def test_streaming_gives_the_batches_in_order(lm, documents):
    layers = layers_of(lm)
    teacher = TransformersTeacher(lm, PACKED)
    batches = [documents[:2], documents[2:3], documents[3:]]
    streamed = list(teacher.stream(iter(batches), layers))
    for states, batch in zip(streamed, batches, strict=True):
        wanted = teacher.states(batch, layers)
        assert all(torch.equal(a, b) for a, b in zip(states, wanted, strict=True))


def test_streaming_computes_ahead_by_one_batch(lm, documents):
    asked = []

    def batches():
        for document in documents:
            asked.append(len(document))
            yield [document]

    stream = TransformersTeacher(lm, PACKED).stream(batches(), layers_of(lm))
    next(stream)
    assert len(asked) == 2


def test_the_row():
    packing = pack([[7, 8, 9], [4]], torch.device("cpu"))
    assert packing.token_ids.tolist() == [[7, 8, 9, 4]]
    assert packing.position_ids.tolist() == [[0, 1, 2, 0]]
    assert packing.starts.tolist() == packing.bounds.tolist() == [0, 3, 4]
    first, second = packing.cut(torch.arange(4).view(4, 1, 1))
    assert (first.flatten().tolist(), second.flatten().tolist()) == ([0, 1, 2], [3])


def test_a_row_without_its_bounds_is_refused(lm):
    from latentcomp.extract.teachers import packed_attention

    packed_attention.register()
    with (
        packed_attention.attending(lm.model.config, "each"),
        torch.inference_mode(),
        pytest.raises(ValueError, match="needs the bounds of the documents"),
    ):
        lm.model(torch.tensor([[1, 2, 3]]), use_cache=False)
    assert lm.model.config._attn_implementation == "sdpa"


def test_the_model_attends_as_before_afterwards(lm, documents):
    before = lm.model(torch.tensor([documents[1]])).logits
    TransformersTeacher(lm, PACKED).states(documents, layers_of(lm))
    assert torch.equal(before, lm.model(torch.tensor([documents[1]])).logits)


SIZES: dict[str, Any] = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 2,
}  # fmt: skip


def test_which_models_can_be_packed(loaded):
    assert all(can_pack(loaded[name].model.config) for name in MODELS)
    assert can_pack(LlamaConfig(**SIZES))
    assert not can_pack(MistralConfig(**SIZES, sliding_window=16))
    assert can_pack(MistralConfig(**SIZES, sliding_window=None))
    assert not can_pack(LlamaConfig(**SIZES, head_dim=512))
    assert not can_pack(BloomConfig(hidden_size=32, n_head=2, n_layer=2))


@pytest.mark.parametrize(
    "model",
    [
        LlamaForCausalLM(LlamaConfig(**SIZES)),
        GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=3, n_head=2)),
    ],
    ids=["llama", "gpt2"],
)
def test_other_families(lm, model, documents):
    identity = lm.identity.model_copy(update={"blocks": 3, "hidden_size": 32})
    other = dataclasses.replace(lm, model=model.eval().requires_grad_(False), identity=identity)
    layers = resolve_layers([-2, -3], 3)
    alone = [TransformersTeacher(other).states([document], layers)[0] for document in documents]
    reading = PACKED if can_pack(model.config) else PADDED
    assert far(TransformersTeacher(other, reading).states(documents, layers), alone) < BOUND


def test_out_of_memory_is_one_line(monkeypatch, lm, documents):
    def full(*_args, **_kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    teacher = TransformersTeacher(lm, PACKED)
    monkeypatch.setattr(teacher, "read_packed", full)
    with pytest.raises(TeacherError, match="the longest of 150 tokens, does not fit") as error:
        teacher.states(documents, layers_of(lm))
    assert "--batch-tokens" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.skipif(" " in sys.prefix, reason="torch cannot link in a path with a space")
@pytest.mark.parametrize("make", [tiny_models.tiny_qwen3, tiny_models.tiny_qwen3_moe])
def test_compiled_blocks(lm, make, documents):
    """One graph serves every block and every length, and computes the same."""
    import torch._dynamo

    model = make(4)
    identity = lm.identity.model_copy(update={"blocks": 4})
    other = dataclasses.replace(lm, model=model.requires_grad_(False), identity=identity)
    layers = resolve_layers([-2, -4], 4)
    alone = [TransformersTeacher(other).states([document], layers)[0] for document in documents]
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    teacher = TransformersTeacher(other, ReadingMode(packed=True, compiled=True))
    assert far(teacher.states(documents, layers), alone) < BOUND
    assert far(teacher.states(documents[1:4], layers), alone[1:4]) < BOUND
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert not torch._dynamo.utils.counters["graph_break"]
    restore_blocks(model.model.layers)
    assert all("forward" not in block.__dict__ for block in model.model.layers)
