"""Leaving the store, and joining stores."""

import json

import pytest
from safetensors import safe_open

from latentcomp.common.errors import StoreError
from latentcomp.store.format.schema import DocumentEntry
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.export import export
from latentcomp.store.tools.merge import merge
from latentcomp.store.write.writer import StoreWriter

from . import samples

UNION = "d" * 64


@pytest.fixture
def store(tmp_path):
    samples.write(tmp_path / "store")
    return tmp_path / "store"


def test_an_export_is_read_with_safetensors_alone(store, tmp_path):
    steps = []
    index = export(store, tmp_path / "out", progress=lambda done, of: steps.append((done, of)))
    content = json.loads(index.read_text())
    assert steps[-1] == (8, 8)
    assert content["layers"] == list(samples.BLOCKS)
    for number, (name, file) in enumerate(content["files"].items()):
        with safe_open(tmp_path / "out" / file, "pt") as opened:
            expected = FeatureStore(store).read(number)
            assert opened.metadata()["document_id"] == name == expected.document_id
            assert opened.get_tensor("hidden_states").equal(expected.states)
            assert opened.get_tensor("token_ids").equal(expected.token_ids)
            assert opened.get_tensor("day").equal(expected.day)


def test_an_export_may_be_of_some_layers_and_documents(store, tmp_path):
    export(store, tmp_path / "out", layers=[43], documents=[5])
    with safe_open(tmp_path / "out" / "000005.safetensors", "pt") as opened:
        expected = samples.states(5, samples.LENGTHS[5])[:, 2:]
        assert opened.get_tensor("hidden_states").equal(expected)
        assert opened.metadata()["blocks_completed"] == "43"
    with pytest.raises(StoreError, match="not empty: choose a new folder"):
        export(store, tmp_path / "out")


def part(path, documents, corpus, **changes):
    made = samples.manifest(corpus_sha256=corpus, **changes)
    entries = samples.entries(samples.LENGTHS)
    with StoreWriter(path, made, [entries[i] for i in documents]) as writer:
        for number in writer.pending():
            index = documents[number]
            writer.write(number, samples.states(index, samples.LENGTHS[index], made))


def test_a_merge_is_the_store_that_would_have_been_written_at_once(tmp_path):
    part(tmp_path / "a", [0, 1, 2, 3], "1" * 64)
    part(tmp_path / "b", [3, 4, 5], "2" * 64)
    part(tmp_path / "c", [6, 7], "3" * 64)
    steps = []
    sources = [tmp_path / name for name in "abc"]
    merge(
        sources,
        tmp_path / "merged",
        corpus_sha256=UNION,
        progress=lambda done, of: steps.append((done, of)),
    )
    samples.write(tmp_path / "at_once", made=samples.manifest(corpus_sha256=UNION))
    assert samples.contents(tmp_path / "merged") == samples.contents(tmp_path / "at_once")
    assert steps == [(i + 1, 8) for i in range(8)]
    merge(sources, tmp_path / "merged", corpus_sha256=UNION)
    assert samples.contents(tmp_path / "merged") == samples.contents(tmp_path / "at_once")


def test_only_like_stores_are_merged(tmp_path):
    part(tmp_path / "a", [0], "1" * 64)
    part(tmp_path / "b", [1], "1" * 64, teacher=samples.teacher(revision="other"))
    part(tmp_path / "c", [1], "1" * 64, codec="int8")
    with pytest.raises(StoreError, match="its teacher is not that of"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    with pytest.raises(StoreError, match="quantised states lose again"):
        merge([tmp_path / "c"], tmp_path / "out")
    clash = samples.manifest(corpus_sha256="2" * 64)
    with StoreWriter(tmp_path / "d", clash, [DocumentEntry("d0", [1], [0], (1,))]) as writer:
        writer.write(0, samples.states(0, 1))
    with pytest.raises(StoreError, match="'d0' has other tokens in"):
        merge([tmp_path / "a", tmp_path / "d"], tmp_path / "out")
