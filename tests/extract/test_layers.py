"""Layer numbers mean what the Hugging Face tuple says; nothing is off by one."""

import pytest

from latentcomp.common.errors import TeacherError, UsageError
from latentcomp.models.layers import (
    layer_name,
    negative,
    parse_layers,
    resolve_layer,
    resolve_layers,
)
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
        (0, 48, 0, False),
        (0, 1, 0, False),
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
        ("+0", "is no layer"),
        ("0,-0", "names a layer twice"),
        ("-6.5", "'-6.5' is no layer"),
        ("-\u0663", "is no layer"),
        ("-6,-6", "names a layer twice"),
        ("-6\n-7", "is no layer"),
    ],
)
def test_parse_layers_refuses(text, says):
    with pytest.raises(UsageError, match=says) as caught:
        parse_layers(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [-60, -50])
def test_a_layer_that_the_teacher_lacks(number):
    with pytest.raises(TeacherError, match=f"layer {number} does not exist.*48 blocks"):
        resolve_layers([number], 48)


@pytest.mark.parametrize("number", [-49, 3])
def test_numbers_out_of_range_are_refused_by_resolve_layer_too(number):
    with pytest.raises(TeacherError, match=f"layer {number} does not exist"):
        resolve_layers([-2, number], 47)


def test_a_layer_given_twice():
    with pytest.raises(TeacherError, match="layer -6 is given twice"):
        resolve_layers((-6, -18, -6), 48)


def test_the_embeddings_are_one_layer_whichever_way_they_are_named():
    assert resolve_layers(parse_layers("-6,0"), 48) == resolve_layers((-49, -6), 48)
    with pytest.raises(TeacherError, match="layer 0 is given twice"):
        resolve_layers((0, -49), 48)


@pytest.mark.parametrize("blocks", [1, 2, 48])
def test_negative_is_the_inverse_of_resolve_layer(blocks):
    for number in range(-(blocks + 1), 0):
        assert negative(resolve_layer(number, blocks), blocks) == number


@pytest.mark.parametrize(
    ("record", "blocks"),
    [
        (LayerRecord(blocks_completed=48, post_norm=False), 48),  # before the final norm
        (LayerRecord(blocks_completed=12, post_norm=True), 48),  # of a model with 12 blocks
        (LayerRecord(blocks_completed=43, post_norm=False), 12),
    ],
)
def test_layers_that_the_hugging_face_tuple_lacks_have_no_number(record, blocks):
    with pytest.raises(TeacherError, match=f"no layer number in a model with {blocks} blocks"):
        negative(record, blocks)


def test_layer_names():
    assert layer_name(resolve_layer(-6, 48)) == "after 43 blocks"
    assert layer_name(resolve_layer(-1, 48)) == "after 48 blocks and the final norm"
