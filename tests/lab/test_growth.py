"""Growing a model in depth: what it computes stays, and blocks keep their share of the depth."""

import pytest
import torch
from transformers import Qwen3ForCausalLM

from latentcomp.common.errors import LatentcompError
from latentcomp.lab.architecture import LabModel, build
from latentcomp.lab.growth import load_grown

IDS = torch.arange(5, 45).reshape(2, 20)


def shape(blocks, **changes):
    sizes = {"hidden": 32, "heads": 2, "feed_forward": 48, "head_width": 16} | changes
    return LabModel("tiny", blocks=blocks, **sizes)


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    """(model of 4 blocks whose weights all count, its folder); bfloat16, as stages are kept."""
    folder = tmp_path_factory.mktemp("shallow")
    torch.manual_seed(0)
    model = build(shape(4)).bfloat16()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    return Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32), folder


@pytest.mark.parametrize("blocks", [4, 8, 12])
def test_the_grown_model_computes_what_the_shallow_one_did(shallow, blocks):
    torch.manual_seed(1)
    model = build(shape(blocks))
    load_grown(model, shallow[1])
    with torch.no_grad():
        before, after = shallow[0](IDS).logits, model(IDS).logits
    assert torch.equal(before, after)
    assert before.std() > 0.1


def test_blocks_land_where_they_end_at_the_same_share_of_the_depth(shallow):
    """So a depth at which a hint was known is one at which it is known."""
    model = build(shape(12))
    load_grown(model, shallow[1])
    with torch.no_grad():
        given = shallow[0].model(IDS, output_hidden_states=True).hidden_states
        states = model.model(IDS, output_hidden_states=True).hidden_states
    for block in range(1, 4):
        assert torch.equal(states[3 * block], given[block])
    for number, block in enumerate(model.model.layers):
        grown = number % 3 == 2
        old = shallow[0].model.layers[number // 3] if grown else None
        for name, weight in block.named_parameters():
            if old is not None:
                assert torch.equal(weight, old.get_parameter(name))
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                assert not weight.any()
            elif name.endswith("proj.weight"):
                assert weight.std() > 0, "else it would never learn"


def test_new_blocks_learn(shallow):
    model = build(shape(8))
    load_grown(model, shallow[1])
    model(IDS).logits.square().mean().backward()
    assert all(block.mlp.down_proj.weight.grad.any() for block in model.model.layers)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (shape(6), "its 4 blocks cannot be spread evenly over 6; train a multiple of 4 blocks"),
        (shape(2), "its 4 blocks cannot be spread evenly over 2"),
        (shape(8, hidden=48), "model.embed_tokens.weight is [1408, 32], the model has [1408, 48]"),
        (shape(8, feed_forward=32), "train a model of the same width, heads and feed-forward"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_grown_is_refused_in_one_line(shallow, wanted, says):
    with pytest.raises(LatentcompError) as caught:
        load_grown(build(wanted), shallow[1])
    assert says in str(caught.value)
    assert str(shallow[1]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(LatentcompError, match="no safetensors weights of a lab model"):
        load_grown(build(shape(4)), tmp_path)
