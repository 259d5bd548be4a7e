"""A shard of another corpus, of the same teacher and layers, is noticed wherever it is met."""

import shutil
from pathlib import Path

import pytest

from latentcomp.common.errors import StoreError
from latentcomp.store.format.ledger import record_name
from latentcomp.store.places.open import place_of
from latentcomp.store.read import shard_file
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.export import export
from latentcomp.store.tools.merge import merge
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from . import samples

OTHER = samples.manifest(corpus_sha256="e" * 64)
REASON = "its fingerprint is not the recorded one: it is damaged, or of another corpus"


def write_other(path: Path | str, codec: str = "raw", stop_before: int | None = None) -> None:
    """The same teacher, layers and lengths; other documents."""
    documents = samples.entries(samples.LENGTHS, seed=1)
    made = OTHER.model_copy(update={"codec": codec})
    with StoreWriter(path, made, documents) as writer:
        for index in writer.pending():
            if index == stop_before:
                break
            writer.write(index, samples.states(100 + index, samples.LENGTHS[index]))


@pytest.fixture
def stores(tmp_path):
    samples.write(tmp_path / "mine")
    write_other(tmp_path / "other")
    return tmp_path / "mine", tmp_path / "other"


def test_the_header_alone_would_not_tell(stores):
    first, second = ((store / "states" / "c.1.0.0").read_bytes()[:64] for store in stores)
    assert first == second


@pytest.mark.parametrize("file", ["states/c.1.0.0", "token_ids/c.1"])
@pytest.mark.parametrize("codec", ["raw", "zstd", "int8"])
def test_a_reader_notices_with_the_first_document_of_the_shard(tmp_path, file, codec):
    samples.write(tmp_path / "mine", made=samples.manifest(codec=codec))
    write_other(tmp_path / "other", codec)
    shutil.copy(tmp_path / "other" / file, tmp_path / "mine" / file)
    store = FeatureStore(tmp_path / "mine")
    store.read(0)
    for _ in range(2):
        with pytest.raises(StoreError, match="'d1', .*shard 1: " + REASON):
            store.read(1)
    with pytest.raises(StoreError, match=REASON):
        store.read_tokens(64, 70) if "states" in file else store.read(2)


@pytest.mark.parametrize("name", ["ledger.parquet", "documents.parquet", "chunks.parquet"])
def test_a_table_of_another_corpus_is_noticed(stores, name):
    mine, other = stores
    shutil.copy(other / name, mine / name)
    with pytest.raises(StoreError, match=f"{name}: .*not the recorded"):
        FeatureStore(mine).read(0)


def test_nothing_is_read_through_export_or_merge(stores, tmp_path):
    mine, other = stores
    shutil.copy(other / "states" / "c.1.0.0", mine / "states" / "c.1.0.0")
    with pytest.raises(StoreError, match=REASON):
        export(mine, tmp_path / "out")
    assert not (tmp_path / "out" / "index.json").exists()
    with pytest.raises(StoreError, match=REASON):
        merge([mine], tmp_path / "merged")
    assert not (tmp_path / "merged" / "seal.json").exists()
    assert not verify(mine).ok


@pytest.fixture
def unfinished(tmp_path):
    samples.write(tmp_path / "mine", stop_before=6)
    write_other(tmp_path / "other", stop_before=6)
    return tmp_path / "mine", tmp_path / "other"


FILES = ("states/c.1.0.0", "token_ids/c.1", "statistics/c.1.0.0.0")


@pytest.mark.parametrize("file", FILES)
def test_a_resume_does_not_seal_it(unfinished, file):
    mine, other = unfinished
    shutil.copy(other / file, mine / file)
    with pytest.raises(StoreError, match="shard 1 was committed, but .* store repair"):
        samples.write(mine)
    assert not (mine / "seal.json").exists()


def test_nor_with_its_record(unfinished):
    """All four files of the shard fit together; they are of other documents."""
    mine, other = unfinished
    for file in (*FILES, record_name(1)):
        shutil.copy(other / file, mine / file)
    with pytest.raises(StoreError, match="shard 1 was committed, but .* other documents"):
        samples.write(mine)
    partial = FeatureStore(mine, allow_partial=True)
    partial.read(0)
    with pytest.raises(StoreError, match="'d1', token ids: they are those of another document"):
        partial.read(1)


def test_a_reader_of_an_unfinished_store_notices_the_states_alone(unfinished):
    mine, other = unfinished
    shutil.copy(other / FILES[0], mine / FILES[0])
    with pytest.raises(StoreError, match="'d1', .*" + REASON):
        FeatureStore(mine, allow_partial=True).read(1)


def test_the_short_last_shard_is_not_taken_over_by_an_append(tmp_path):
    """Its first tokens would be copied into the longer one and get a fingerprint of their own."""
    lengths = (64, 40)
    samples.write(tmp_path / "mine", lengths)
    with StoreWriter(tmp_path / "other", OTHER, samples.entries(lengths, seed=1)) as writer:
        for index in writer.pending():
            writer.write(index, samples.states(100 + index, lengths[index]))
    shutil.copy(tmp_path / "other" / FILES[0], tmp_path / "mine" / FILES[0])
    longer, made = (*lengths, 50), samples.manifest(corpus_sha256="d" * 64)
    with (
        pytest.raises(StoreError, match=r"shard 1.*(not the recorded one|was committed, but)"),
        StoreWriter(tmp_path / "mine", made, samples.entries(longer), extend=True) as writer,
    ):
        writer.write(2, samples.states(2, 50))


def test_at_an_address_it_is_noticed_when_the_last_chunk_was_read():
    """The checksums of all chunks would cost a request each."""
    mine, other = "memory://binding-mine", "memory://binding-other"
    samples.write(mine)
    write_other(other)
    data = place_of(other).read("states/c.1.0.0")
    place_of(mine).write("states/c.1.0.0", [data])
    store = FeatureStore(mine)
    with pytest.raises(StoreError, match=REASON):
        for index in range(len(store)):
            store.read(index)
    ids = place_of(other).read("token_ids/c.1")
    place_of(mine).write("token_ids/c.1", [ids])
    with pytest.raises(StoreError, match="'d1', token ids, shard 1: " + REASON):
        FeatureStore(mine).read(1, layers=())


def test_an_object_that_is_replaced_under_an_open_reader_is_checked_again():
    address = "memory://binding-replaced"
    samples.write(address)
    store, place = FeatureStore(address), place_of(address)
    store.read(1)
    data = bytearray(place.read("states/c.1.0.0"))
    data[200] ^= 4
    place.write("states/c.1.0.0", [bytes(data)])
    with pytest.raises(StoreError, match="fails its checksum"):
        store.read(1)


@pytest.mark.parametrize("replace", ["in place", "by name"])
def test_a_shard_replaced_under_an_open_reader_is_never_mixed(stores, replace, monkeypatch):
    monkeypatch.setattr(shard_file, "_ASK_AGAIN", 0.0)
    mine, other = stores
    store, file = FeatureStore(mine), mine / "states" / "c.1.0.0"
    whole = store.read(1).states
    if replace == "in place":
        shutil.copyfile(other / "states" / file.name, file)
        with pytest.raises(StoreError, match=REASON):
            store.read(1)
        samples.write(mine.parent / "again")
        shutil.copyfile(mine.parent / "again" / "states" / file.name, file)
    else:
        shutil.copy(other / "states" / file.name, mine / "new")
        (mine / "new").replace(file)
    assert store.read(1).states.equal(whole)
