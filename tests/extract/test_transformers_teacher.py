"""Hook by hook, the teacher's states are those of Hugging Face's own full tuple."""

import pytest
import torch

from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.layers import resolve_layer, resolve_layers

MODELS = ["qwen3-6", "qwen3-48", "moe-4"]
NOISE = 2e-4
"""Float32 noise between batch shapes: states reach 30 here; a neighbouring layer is 1 away."""

SHORT = [3, 250, 17, 9, 40]
LONG = [(7 * i) % 300 for i in range(1, 41)]
MIDDLE = [(11 * i) % 300 for i in range(1, 24)]


def full_tuple(lm, document):
    """Hugging Face's hidden_states for one document, [blocks + 1] of [tokens, hidden]."""
    with torch.inference_mode():
        output = lm.model(torch.tensor([document]), output_hidden_states=True, use_cache=False)
    return [state[0] for state in output.hidden_states]


@pytest.mark.parametrize("name", MODELS)
def test_every_index_is_bit_equal_to_the_hugging_face_tuple(loaded, name):
    lm = loaded[name]
    teacher = TransformersTeacher(lm)
    expected = full_tuple(lm, LONG)
    assert len(expected) == lm.identity.blocks + 1
    for number in range(-len(expected), 0):
        (states,) = teacher.states([LONG], [resolve_layer(number, lm.identity.blocks)])
        assert states.shape == (len(LONG), 1, lm.identity.hidden_size)
        assert torch.equal(states[:, 0], expected[number]), number


@pytest.mark.parametrize("name", MODELS)
def test_off_by_one_would_show(loaded, name):
    expected = full_tuple(loaded[name], LONG)
    for shallow, deep in zip(expected, expected[1:], strict=False):
        assert (shallow - deep).abs().max() > 100 * NOISE


@pytest.mark.parametrize("name", MODELS)
def test_several_layers_at_once_stop_after_the_deepest(loaded, name):
    lm = loaded[name]
    blocks = lm.identity.blocks
    layers = resolve_layers([-2, -4, -(blocks + 1)], blocks)
    ran = []
    handles = [
        block.register_forward_pre_hook(lambda *_, i=i: ran.append(i))
        for i, block in enumerate(lm.model.model.layers)
    ]
    (states,) = TransformersTeacher(lm).states([LONG], layers)
    for handle in handles:
        handle.remove()
    expected = full_tuple(lm, LONG)
    assert ran == list(range(blocks - 1))
    for axis, layer in enumerate(layers):
        assert torch.equal(states[:, axis], expected[layer.blocks_completed])


def test_final_norm_can_be_had_with_shallower_layers(lm):
    layers = resolve_layers([-1, -3], lm.identity.blocks)
    (states,) = TransformersTeacher(lm).states([LONG], layers)
    expected = full_tuple(lm, LONG)
    assert torch.equal(states[:, 0], expected[-3])
    assert torch.equal(states[:, 1], expected[-1])


@pytest.mark.parametrize("name", MODELS)
def test_neighbours_padding_and_order_do_not_matter(loaded, name):
    lm = loaded[name]
    teacher = TransformersTeacher(lm)
    layers = resolve_layers([-1, -2, -4], lm.identity.blocks)
    documents = [SHORT, LONG, MIDDLE]
    alone = [teacher.states([document], layers)[0] for document in documents]
    for batch in ([0, 1, 2], [2, 1, 0], [1, 0], [0, 0, 1]):
        together = teacher.states([documents[i] for i in batch], layers)
        for states, i in zip(together, batch, strict=True):
            assert states.shape == alone[i].shape
            assert (states - alone[i]).abs().max() < NOISE


def test_the_same_batch_gives_the_same_bits(lm):
    teacher = TransformersTeacher(lm)
    layers = resolve_layers([-2], lm.identity.blocks)
    first, second = (teacher.states([SHORT, LONG], layers) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_model_is_left_as_it_was(lm):
    before = full_tuple(lm, MIDDLE)
    hooks = [len(block._forward_hooks) for block in lm.model.model.layers]
    TransformersTeacher(lm).states([LONG], resolve_layers([-3], lm.identity.blocks))
    after = full_tuple(lm, MIDDLE)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert hooks == [len(block._forward_hooks) for block in lm.model.model.layers]


@pytest.mark.parametrize("documents", [[], [[]], [[1], []]])
def test_empty_batches_are_a_programming_error(lm, documents):
    with pytest.raises(ValueError, match="at least one token"):
        TransformersTeacher(lm).states(documents, resolve_layers([-2], lm.identity.blocks))
