"""What a manifest takes for granted, and what it refuses."""

import pytest
from pydantic import ValidationError

from latentcomp.store.format.schema import LayerRecord, Manifest

from . import samples


def layer(blocks: int, post_norm: bool = False) -> LayerRecord:
    return LayerRecord(blocks_completed=blocks, post_norm=post_norm)


def default_chunk(codec, hidden, **changes):
    content = samples.manifest(codec=codec, teacher=samples.teacher(hidden_size=hidden))
    fields = content.model_dump(exclude={"chunk_tokens", "shard_tokens"}) | changes
    return Manifest(**fields).chunk_tokens


@pytest.mark.parametrize(
    ("codec", "hidden", "shard", "expected"),
    [
        ("raw", 128, 8192, 128),
        ("zstd", 128, 8192, 128),
        ("split-zstd", 2048, 8192, 128),
        ("split-zstd", 128, 8192, 1024),
        ("split-zstd", 8, 8192, 8192),
        ("split-zstd", 100, 8192, 2048),
        ("raw", 128, 96, 32),
    ],
)
def test_chunks_are_as_large_as_their_codec_needs(codec, hidden, shard, expected):
    assert default_chunk(codec, hidden, shard_tokens=shard) == expected
    assert default_chunk(codec, hidden, shard_tokens=shard, chunk_tokens=1) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ()}, "at least 1 item"),
        ({"layers": (layer(31), layer(19))}, "must ascend in blocks_completed"),
        ({"layers": (layer(48), layer(48, True))}, "must ascend in blocks_completed"),
        ({"layers": (layer(49),)}, "layer after 49 of 48 blocks"),
        ({"shard_tokens": 50}, "shard_tokens 50 is no multiple of chunk_tokens 16"),
        ({"dtype": "float64"}, "bfloat16"),
        ({"codec": "lzma"}, "split-zstd"),
        ({"note": "x"}, "Extra inputs"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        samples.manifest(**changes)


def test_a_manifest_survives_its_own_json():
    made = samples.manifest()
    assert Manifest.model_validate_json(made.model_dump_json()) == made
