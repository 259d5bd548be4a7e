"""What is written is what is read, by this reader and by plain Zarr."""

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import StoreError
from latentcomp.store.format.dtypes import DTYPES
from latentcomp.store.format.encoding import encoding_of
from latentcomp.store.format.schema import DocumentEntry, LayerRecord
from latentcomp.store.places import local_file
from latentcomp.store.read import shard_file
from latentcomp.store.read.mapped import MappedRows
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from ..processes import CONTEXT
from . import samples

CODECS = ("raw", "zstd", "split-zstd")


def plain(path: Path, array: str) -> np.ndarray:
    """A whole array, read by zarr-python alone."""
    return np.asarray(zarr.open_array(str(path / array), mode="r")[...])


def bits_of(lengths, made) -> np.ndarray:
    tensors = [samples.states(i, n, made) for i, n in enumerate(lengths)]
    return DTYPES[made.dtype].to_bits(torch.cat(tensors))


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    chunk=st.sampled_from([4, 7, 16]),
    chunks=st.integers(1, 4),
    dtype=st.sampled_from(sorted(DTYPES)),
    codec=st.sampled_from(CODECS),
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_reader_and_plain_zarr_give_back_what_was_written(
    tmp_path_factory, lengths, chunk, chunks, dtype, codec
):
    path = tmp_path_factory.mktemp("store")
    changes = {"chunk_tokens": chunk, "shard_tokens": chunk * chunks}
    made = samples.manifest(dtype=dtype, codec=codec, **changes)
    documents = samples.write(path, lengths, made)
    store = FeatureStore(path)
    assert store.document_ids == tuple(entry.document_id for entry in documents)
    for repeat in range(2):  # the second read takes the path of checked chunks
        for index, entry in enumerate(documents):
            found = store.read(index)
            assert found.states.equal(samples.states(index, lengths[index], made)), repeat
            assert found.token_ids.tolist() == np.asarray(entry.token_ids).tolist()
            assert found.chunk_index.tolist() == np.asarray(entry.chunk_of_token).tolist()
    assert np.array_equal(plain(path, "states"), bits_of(lengths, made))
    ids = np.concatenate([entry.token_ids for entry in documents])
    assert np.array_equal(plain(path, "token_ids"), ids)


@given(
    reads=st.lists(
        st.tuples(st.integers(0, 369), st.integers(1, 150), st.permutations((0, 1, 2))),
        min_size=1,
        max_size=8,
    ),
    count=st.integers(1, 3),
    codec=st.sampled_from((*CODECS, "int8")),
    check=st.sampled_from(["first", "always"]),
    cached=st.lists(st.booleans(), min_size=8, max_size=8),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_reads_in_any_order_equal_plain_zarr(stores, reads, count, codec, check, cached):
    """Chunks of which some were checked before and others not, of some layers and not of others,
    in the page cache or not."""
    path = stores[codec]
    store, whole = FeatureStore(path, check=check), plain(path, "states")
    form = encoding_of(DTYPES["bfloat16"], samples.HIDDEN, codec)
    for (start, length, columns), mapped in zip(reads, cached, strict=False):
        stop = min(start + length, sum(samples.LENGTHS))
        wanted = list(columns[:count])
        with pytest.MonkeyPatch.context() as patch:
            if not mapped:
                patch.setattr(local_file.LocalFile, "memory", lambda self, ends: None)
            found = store.read_tokens(start, stop, [samples.BLOCKS[column] for column in wanted])
        expected = np.ascontiguousarray(whole[start:stop, wanted])
        bits = form.decode(expected.view(np.uint8))
        assert found.equal(DTYPES["bfloat16"].to_tensor(bits))


@pytest.mark.parametrize("in_cache", [True, False])
def test_what_the_page_cache_holds_comes_out_of_mapped_memory(path, monkeypatch, in_cache):
    filled: list[MappedRows] = []
    fill = MappedRows.fill

    def spied(self: MappedRows) -> None:
        filled.append(self)
        fill(self)

    monkeypatch.setattr(MappedRows, "fill", spied)
    if not in_cache:
        monkeypatch.setattr(local_file.LocalFile, "memory", lambda self, ends: None)
    elif not hasattr(os, "RWF_NOWAIT"):
        pytest.skip("this system does not say what the page cache holds")
    FeatureStore(path).read(0)
    assert bool(filled) == in_cache


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A store of every codec, small chunks and several shards."""
    folder = tmp_path_factory.mktemp("stores")
    for codec in (*CODECS, "int8"):
        samples.write(folder / codec, made=samples.manifest(codec=codec))
    return {codec: folder / codec for codec in (*CODECS, "int8")}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("module") / "store"
    samples.write(path)
    return path


def test_layers_come_in_the_order_asked_for_and_no_others_are_read(path, tmp_path, monkeypatch):
    read: list[int] = []
    from latentcomp.store.read import shard_file

    def spy(self, columns, first, out, original=shard_file.ShardFile.read_rows):
        read.extend(columns)
        return original(self, columns, first, out)

    monkeypatch.setattr(shard_file.ShardFile, "read_rows", spy)
    found = FeatureStore(path).read(1, layers=[43, 19])
    expected = samples.states(1, samples.LENGTHS[1])
    assert found.states.equal(expected[:, [2, 0]])
    assert set(read) == {0, 2}


def test_tokens_know_their_chunk_day_and_bucket(path):
    found = FeatureStore(path).read(5)
    chunk = found.chunk_index
    days = torch.tensor([-1 if day is None else day for day in samples.DAYS])
    assert found.chunks == 4
    assert found.day.equal(days[chunk])
    assert found.bucket.equal(torch.tensor([0, 0, 1, 2])[chunk])
    assert {t.dtype for t in (found.day, found.bucket, chunk, found.token_ids)} == {torch.int64}


def test_what_was_read_cannot_change_what_is_read_next(path):
    store = FeatureStore(path)
    found, day = store.read(5), store.read(5).day
    found.day.zero_()
    found.bucket.fill_(7)
    for shared in (found.days, found.buckets):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 99
    assert store.read(5).day.equal(day)
    assert store.read(5).bucket.max() == 2


def test_an_unknown_layer_names_the_known_ones(path):
    with pytest.raises(StoreError, match="no layer after 42 blocks .* it has 19, 31, 43"):
        FeatureStore(path).read(0, layers=[42])


def test_an_index_beyond_the_end_is_an_index_error(path):
    store = FeatureStore(path)
    for index in (-1, len(store)):
        with pytest.raises(IndexError):
            store.read(index)


def test_every_read_checks_again_when_asked_to(path, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_file, "_ASK_AGAIN", 0.0)
    copy = tmp_path / "store"
    samples.write(copy)
    careful, trusting = FeatureStore(copy, check="always"), FeatureStore(copy)
    for store in (careful, trusting):
        store.read(0)
    file = copy / "states" / "c.0.0.0"
    data = bytearray(file.read_bytes())
    data[64 + 20] ^= 1  # document 0, layer 19, just behind the header
    written = file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=(written, written))
    trusting.read(0)  # nothing says that the file is another one
    with pytest.raises(StoreError, match="'d0', layer after 19 blocks, shard 0: .*checksum"):
        careful.read(0)
    with pytest.raises(ValueError, match="check must be"):
        FeatureStore(copy, check="never")
    os.utime(file)
    with pytest.raises(StoreError, match="'d0', layer after 19 blocks, shard 0: .*checksum"):
        trusting.read(0)


def test_order_is_a_permutation_that_only_seed_and_epoch_decide(path):
    store = FeatureStore(path)
    orders = {(s, e): tuple(store.order(s, e).tolist()) for s in range(3) for e in range(3)}
    assert all(sorted(order) == list(range(len(store))) for order in orders.values())
    assert len(set(orders.values())) == 9
    assert orders[0, 0] == (0, 2, 1, 5, 4, 3, 6, 7)


def read_in_worker(store: FeatureStore) -> list[int]:
    return store.read(2).token_ids.tolist()


def test_other_processes_open_their_own(path):
    store = FeatureStore(path)
    expected = store.read(2).token_ids.tolist()
    assert pickle.loads(pickle.dumps(store)).read(2).token_ids.tolist() == expected  # noqa: S301
    with CONTEXT.Pool(1) as pool:
        assert pool.apply(read_in_worker, (store,)) == expected


def test_statistics_are_those_of_the_states(path):
    exact = torch.cat([samples.states(i, n) for i, n in enumerate(samples.LENGTHS)]).double()
    for column, found in enumerate(FeatureStore(path).statistics):
        values = exact[:, column]
        assert found.blocks_completed == samples.BLOCKS[column]
        assert found.mean == pytest.approx(values.mean().item(), rel=1e-5, abs=1e-6)
        assert found.rms == pytest.approx(values.square().mean().sqrt().item(), rel=1e-5)
        assert found.max_abs == values.abs().max().item()
        per_dimension = values.square().mean(0).sqrt()
        assert [o.dimension for o in found.outliers] == per_dimension.argsort(
            descending=True
        ).tolist()
        assert [o.rms for o in found.outliers] == pytest.approx(
            per_dimension.sort(descending=True).values.tolist(), rel=1e-5
        )


def test_statistics_survive_the_largest_values(tmp_path):
    entry = DocumentEntry("huge", [1, 2], [0, 0], (None,))
    layers = (LayerRecord(blocks_completed=1, post_norm=False),)
    made = samples.manifest(layers=layers)
    huge = torch.full((2, 1, samples.HIDDEN), 3e38).bfloat16()
    with StoreWriter(tmp_path / "store", made, [entry]) as writer:
        writer.write(0, huge)
    assert FeatureStore(tmp_path / "store").statistics[0].rms == pytest.approx(3e38, rel=1e-2)
    assert verify(tmp_path / "store").ok


def test_other_floating_types_are_rounded_once(tmp_path):
    made = samples.manifest()
    exact = torch.randn(5, 3, samples.HIDDEN)
    with StoreWriter(tmp_path / "store", made, samples.entries([5])) as writer:
        writer.write(0, exact)
    assert FeatureStore(tmp_path / "store").read(0).states.equal(exact.bfloat16())


def test_sidecars_are_plain_parquet(path):
    documents = pq.read_table(path / "documents.parquet").to_pylist()
    chunks = pq.read_table(path / "chunks.parquet").to_pylist()
    assert [row["tokens"] for row in documents] == list(samples.LENGTHS)
    assert documents[1]["question_ids"] == ["d1/q0"]
    assert sum(row["tokens"] for row in chunks) == sum(samples.LENGTHS)
    assert [row["day"] for row in chunks[:4]] == list(samples.DAYS)


def test_nothing_missing_can_pass_as_zeros(path, tmp_path):
    copy = tmp_path / "store"
    samples.write(copy)
    (copy / "states" / "c.1.0.0").unlink()
    lost = plain(copy, "states")[64:128]
    assert (lost == DTYPES["bfloat16"].sentinel).all()
    assert np.isnan(DTYPES["bfloat16"].to_float32(lost)).all()
    with pytest.raises(StoreError, match="'d1', layer after 19 blocks, shard 1: No such file"):
        FeatureStore(copy).read(1)
