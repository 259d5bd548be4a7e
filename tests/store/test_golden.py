"""Stores of format version 1 that were written once and are read from now on."""

from pathlib import Path
from typing import get_args

import pytest
from safetensors.torch import load_file

from latentcomp.store.format.codecs import CodecName
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from . import samples

GOLDEN = Path(__file__).parent / "golden" / "v1"
CODECS = ("raw", "zstd", "split-zstd", "int8")
LENGTHS = (5, 1, 20, 9)


@pytest.mark.parametrize("codec", CODECS)
def test_a_version_1_store_is_read(codec):
    lossy = codec == "int8"
    expected = load_file(GOLDEN / ("int8.safetensors" if lossy else "states.safetensors"))
    store = FeatureStore(GOLDEN / codec)
    assert store.document_ids == tuple(expected)
    for index, name in enumerate(store.document_ids):
        assert store.read(index).states.equal(expected[name])
        assert store.read(index, [31]).states.equal(expected[name][:, 1:2])
    found = store.read(2)
    assert found.token_ids[:4].tolist() == [837, 261, 109, 298]
    assert sorted(set(found.day.tolist())) == [-1, 3, 4, 9]
    assert verify(GOLDEN / codec).ok


def test_version_1_is_written_with_the_same_bytes(tmp_path):
    golden = GOLDEN / "raw"
    write(tmp_path / "store", "raw", load_file(GOLDEN / "states.safetensors"))
    files = samples.contents(golden)
    # Parquet files name the Arrow version that wrote them, and the seal has their fingerprints.
    exact = [n for n in files if not n.endswith(".parquet") and n != "seal.json"]
    assert len(exact) > 10
    written = samples.contents(tmp_path / "store")
    assert sorted(written) == sorted(files)
    assert {name: written[name] for name in exact} == {name: files[name] for name in exact}


def write(path, codec, states):
    made = samples.manifest(codec=codec, chunk_tokens=4, shard_tokens=16)
    with StoreWriter(path, made, samples.entries(LENGTHS)) as writer:
        for index, tensor in enumerate(states.values()):
            writer.write(index, tensor)


def test_the_format_page_names_every_preset():
    page = (Path(__file__).parents[2] / "store" / "FORMAT.md").read_text()
    assert [codec for codec in get_args(CodecName) if f"| `{codec}` |" in page] == list(CODECS)
