"""Layer numbers: from the `-6` that people write to the place in the teacher that is meant.

`-k` is entry `hidden_states[-k]` of the Hugging Face tuple, which has one entry more than the
model has blocks: entry 0 is the embeddings, entry i the residual stream after i blocks, and
the last one has also gone through the final norm. So on 48 blocks -6 is the state after 43
blocks, not 42. Everything after this file speaks of `blocks_completed`, never of -6.
"""

import re
from collections.abc import Sequence

from ..common.errors import TeacherError
from ..store.format.schema import LayerRecord

_NUMBER = re.compile(r"-?[0-9]+")


def parse_layers(text: str) -> tuple[int, ...]:
    """Numbers of a list such as "-6,-18,-30", in the order given.

    Raises:
        TeacherError: a part is no whole number, or is not negative, or is given twice.
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not _NUMBER.fullmatch(part) or int(part) >= 0:
            raise TeacherError(
                f"--layers {text!r}: {part!r} is no layer; give negative whole numbers "
                "counted from the last state, such as -6,-18,-30"
            )
    numbers = tuple(int(part) for part in parts)
    if len(set(numbers)) != len(numbers):
        raise TeacherError(f"--layers {text!r} names a layer twice; give each layer once")
    return numbers


def resolve_layer(number: int, blocks: int) -> LayerRecord:
    """The place that `hidden_states[number]` of a model with `blocks` blocks is taken from.

    Raises:
        TeacherError: the model has no such state.
    """
    if not -(blocks + 1) <= number <= -1:
        raise TeacherError(
            f"layer {number} does not exist: the teacher has {blocks} blocks; "
            f"give layers between -1 (after the final norm) and -{blocks + 1} (the embeddings)"
        )
    return LayerRecord(blocks_completed=blocks + 1 + number, post_norm=number == -1)


def resolve_layers(numbers: Sequence[int], blocks: int) -> tuple[LayerRecord, ...]:
    """Every layer resolved, shallowest first: the order in which the store keeps them.

    Raises:
        TeacherError: the model lacks one of them.
    """
    records = [resolve_layer(number, blocks) for number in numbers]
    return tuple(sorted(records, key=lambda record: record.blocks_completed))


def layer_name(record: LayerRecord) -> str:
    """How a layer is called in messages and plans, such as "after 43 blocks"."""
    if record.post_norm:
        return f"after {record.blocks_completed} blocks and the final norm"
    return f"after {record.blocks_completed} blocks"
