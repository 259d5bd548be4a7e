"""Layer numbers mean what the Hugging Face tuple says; nothing is off by one."""

import pytest

from latentcomp.common.errors import TeacherError
from latentcomp.models.layers import layer_name, parse_layers, resolve_layer, resolve_layers
from latentcomp.store.format.schema import LayerRecord


@pytest.mark.parametrize(
    ("number", "blocks", "completed", "post_norm"),
    [
        (-6, 48, 43, False),
        (-18, 48, 31, False),
        (-30, 48, 19, False),
        (-1, 48, 48, True),
        (-2, 48, 47, False),
        (-49, 48, 0, False),
        (-1, 1, 1, True),
        (-2, 1, 0, False),
    ],
)
def test_resolve_layer(number, blocks, completed, post_norm):
    expected = LayerRecord(blocks_completed=completed, post_norm=post_norm)
    assert resolve_layer(number, blocks) == expected


def test_layers_ascend_whatever_order_was_given():
    records = resolve_layers(parse_layers("-6, -30,-18"), 48)
    assert [record.blocks_completed for record in records] == [19, 31, 43]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("abc", "'abc' is no layer"),
        ("", "'' is no layer"),
        ("-6,", "'' is no layer"),
        ("-6,7", "'7' is no layer"),
        ("0", "'0' is no layer"),
        ("-0", "'-0' is no layer"),
        ("-6.5", "'-6.5' is no layer"),
        ("-\u0663", "is no layer"),
        ("-6,-6", "names a layer twice"),
        ("-6\n-7", "is no layer"),
    ],
)
def test_parse_layers_refuses(text, says):
    with pytest.raises(TeacherError, match=says) as caught:
        parse_layers(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [-60, -50])
def test_a_layer_that_the_teacher_lacks(number):
    with pytest.raises(TeacherError, match=f"layer {number} does not exist.*48 blocks"):
        resolve_layers([number], 48)


def test_layer_names():
    assert layer_name(resolve_layer(-6, 48)) == "after 43 blocks"
    assert layer_name(resolve_layer(-1, 48)) == "after 48 blocks and the final norm"
