"""Conversion between negative layer numbers and `LayerRecord`, in both directions.

`-k` is entry `hidden_states[-k]` of the Hugging Face tuple, which has one entry more than the
model has blocks: entry 0 is the embeddings, entry i the residual stream after i blocks, and
the last one has also gone through the final norm. So on 48 blocks -6 is the state after 43
blocks, not 42. The embeddings may be named 0 too, whatever the number of blocks. Only this
module computes with negative numbers; all others use `blocks_completed` and `post_norm`.
"""

import re
from collections.abc import Sequence
from typing import Final

from ..common.errors import TeacherError, UsageError
from ..store.format.schema import LayerRecord

EMBEDDINGS: Final = LayerRecord(blocks_completed=0, post_norm=False)
"""The token embeddings, hidden state 0."""
_NUMBER = re.compile(r"-?[0-9]+")


def parse_layers(text: str) -> tuple[int, ...]:
    """Numbers of a list such as "-6,-18,-30", in the order given.

    Raises:
        UsageError: a part is no whole number, or is positive, or is given twice.
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not _NUMBER.fullmatch(part) or int(part) > 0:
            raise UsageError(
                f"--layers {text!r}: {part!r} is no layer; give negative whole numbers "
                "counted from the last state, such as -6,-18,-30, or 0 for the token embeddings"
            )
    numbers = tuple(int(part) for part in parts)
    if len(set(numbers)) != len(numbers):
        raise UsageError(f"--layers {text!r} names a layer twice; give each layer once")
    return numbers


def resolve_layer(number: int, blocks: int) -> LayerRecord:
    """The record of `hidden_states[number]` in a model with `blocks` blocks.

    Raises:
        TeacherError: the model has no such state.
    """
    if number == 0:
        return EMBEDDINGS
    if not -(blocks + 1) <= number <= -1:
        raise TeacherError(
            f"layer {number} does not exist: the teacher has {blocks} blocks; "
            f"give --layers between -1 (after the final norm) and -{blocks + 1} (the embeddings), "
            "which are 0 too"
        )
    return LayerRecord(blocks_completed=blocks + 1 + number, post_norm=number == -1)


def resolve_layers(numbers: Sequence[int], blocks: int) -> tuple[LayerRecord, ...]:
    """The records of several layers, shallowest first: the order in which a store keeps them.

    Args:
        numbers: negative or 0, in any order, such as (-6, -18, -30).
        blocks: of the model.

    Raises:
        TeacherError: the model lacks one of them, or one is given twice.
    """
    records = [resolve_layer(number, blocks) for number in numbers]
    for number, record in zip(numbers, records, strict=True):
        if records.count(record) > 1:
            raise TeacherError(f"layer {number} is given twice; give each layer once")
    return tuple(sorted(records, key=lambda record: record.blocks_completed))


def negative(record: LayerRecord, blocks: int) -> int:
    """The number k with which `hidden_states[k]` is this layer; inverse of `resolve_layer`.

    Raises:
        TeacherError: the model is too shallow, or the layer is the last block's output before
            the final norm, which the Hugging Face tuple does not contain.
    """
    number = -1 if record.post_norm else record.blocks_completed - blocks - 1
    if not -(blocks + 1) <= number <= -1 or resolve_layer(number, blocks) != record:
        raise TeacherError(
            f"the state {layer_name(record)} has no layer number in a model with {blocks} blocks; "
            "extract again with --layers of this teacher"
        )
    return number


def layer_name(record: LayerRecord) -> str:
    """Name of a layer in messages and plans, such as "after 43 blocks"."""
    if record.post_norm:
        return f"after {record.blocks_completed} blocks and the final norm"
    return f"after {record.blocks_completed} blocks"
