"""verify finds what is wrong, and only that."""

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from latentcomp.common.errors import StoreError
from latentcomp.store.format import ledger, statistics
from latentcomp.store.format.identity import owner_sha256
from latentcomp.store.format.layout import Layout
from latentcomp.store.format.schema import Manifest
from latentcomp.store.format.shard_table import FileRecord
from latentcomp.store.format.shards import chunks_of, encode_shard
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.tools.info import describe
from latentcomp.store.tools.verify import verify

from . import samples


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "store"
    samples.write(path)
    return path


@pytest.fixture
def store(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "store"))


def test_a_sound_store_has_no_problems(whole):
    steps = []
    report = verify(whole, progress=lambda done, of: steps.append((done, of)))
    assert report.ok
    assert report.problems == ()
    assert (report.documents, report.tokens) == (len(samples.LENGTHS), sum(samples.LENGTHS))
    assert steps == [(i + 1, report.shards) for i in range(report.shards)]
    files = samples.contents(whole)
    assert report.files == len(files) - 1  # the seal vouches for all others
    assert report.bytes_read == sum(map(len, files.values())) - len(files["seal.json"])


def flip_bits(store: Path, flips: int, seed: int) -> int:
    """Flip one bit at a time anywhere in the store; count those that verify misses."""
    random_ = random.Random(seed)
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    sizes = [path.stat().st_size for path in files]
    missed = 0
    for _ in range(flips):
        file = random_.choices(files, sizes)[0]
        data = file.read_bytes()
        changed = bytearray(data)
        changed[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        file.write_bytes(changed)
        missed += verify(store).ok
        file.write_bytes(data)
    return missed


@pytest.mark.parametrize("codec", ["raw", "split-zstd", "int8"])
def test_every_flipped_bit_is_found(tmp_path, codec):
    samples.write(tmp_path / "store", (20, 30, 25), samples.manifest(codec=codec))
    assert flip_bits(tmp_path / "store", 60, seed=1) == 0


@pytest.mark.slow
def test_every_one_of_a_thousand_flipped_bits_is_found(whole):
    assert flip_bits(whole, 1000, seed=2) == 0


def test_a_bit_flipped_in_every_file_is_found_by_its_name(store):
    for file in sorted(path for path in store.rglob("*") if path.is_file()):
        data = file.read_bytes()
        changed = bytearray(data)
        changed[len(data) // 2] ^= 16
        file.write_bytes(changed)
        name = file.relative_to(store).as_posix()
        problems = verify(store).problems
        file.write_bytes(data)
        assert any(name in problem.path or name in problem.message for problem in problems), name


def test_deleted_cut_and_swapped_files_are_found(store):
    for name, data in samples.contents(store).items():
        if name == "manifest.json":  # without it there is no store
            continue
        (store / name).unlink()
        assert not verify(store).ok, name
        (store / name).write_bytes(data[:-1])
        assert not verify(store).ok, name
        (store / name).write_bytes(data)
    for array in ("states/c.{}.0.0", "token_ids/c.{}", "statistics/c.{}.0.0.0"):
        first, second = (store / array.format(i) for i in (1, 2))
        pair = first.read_bytes(), second.read_bytes()
        first.write_bytes(pair[1])
        second.write_bytes(pair[0])
        assert {p.path for p in verify(store).problems} >= {array.format(1), array.format(2)}
        first.write_bytes(pair[0])
        second.write_bytes(pair[1])
    assert verify(store).ok


@pytest.mark.parametrize("name", ["states/c.99.0.0", ".a.1.partial", "ledger/000000.json"])
def test_a_stray_file_is_found(store, name):
    (store / name).parent.mkdir(exist_ok=True)
    (store / name).write_text("{}")
    assert [problem.path for problem in verify(store).problems] == [name]


def test_a_whole_store_put_together_again_with_a_bad_value_is_found(store):
    """Not a flipped bit but a writer that lies: all fingerprints fit, the values do not."""
    place = LocalPlace(store)
    manifest = ledger.read_sealed(place, "manifest.json", Manifest)
    layout = Layout(manifest, sum(samples.LENGTHS))
    bits = np.full((3, 64, samples.HIDDEN), layout.dtype.sentinel, "<u2")
    columns = [chunks_of(layout.states, column.view(np.uint8)) for column in bits]
    digest = hashlib.sha256()
    data = b"".join(encode_shard(layout.states, owner_sha256(manifest), 0, columns, digest))
    (store / "states" / "c.0.0.0").write_bytes(data)
    records = ledger.read_table(place)
    made = FileRecord(path="states/c.0.0.0", bytes=len(data), sha256=digest.hexdigest())
    files = (made, *records[0].files[1:])
    records[0] = records[0].model_copy(update={"files": files})
    ledger.write_table(place, records)
    from latentcomp.store.format import seal

    old = seal.read_seal(place)
    fixed = tuple(ledger.fingerprint(place, file.path) for file in old.files)
    ledger.write_sealed(place, "seal.json", old.model_copy(update={"files": fixed}))
    assert [p.message for p in verify(store).problems] == [
        "shard 0, layer after 19 blocks: a state is NaN or infinite"
    ]


def test_an_unfinished_store_is_told_from_a_damaged_one(tmp_path):
    samples.write(tmp_path / "store", stop_before=6)
    report = verify(tmp_path / "store")
    assert (report.ok, report.complete, report.shards) == (False, False, 5)
    assert [p.message for p in report.problems] == [
        "missing, the store is not finished: 5 of 6 shards are committed"
    ]
    info = describe(tmp_path / "store")
    assert (info.complete, info.committed_shards, info.shards) == (False, 5, 6)
    assert "5 of 6 shards" in info.lines()[0]


def test_no_store_is_an_error(tmp_path):
    for function in (verify, describe):
        with pytest.raises(StoreError, match="no feature store here"):
            function(tmp_path)


def test_info_says_what_is_in_the_files(whole):
    info = describe(whole)
    arrays = ("states/c.", "token_ids/c.", "statistics/c.")
    sizes = {n: len(d) for n, d in samples.contents(whole).items() if n.startswith(arrays)}
    assert info.stored_bytes == sum(sizes.values())
    assert info.raw_bytes == sum(samples.LENGTHS) * 3 * samples.HIDDEN * 2
    assert info.statistics[2].blocks_completed == 43
    text = "\n".join(info.lines())
    for part in ("complete", "sample (Qwen3ForCausalLM, 48 blocks", "bfloat16", "layer 31"):
        assert part in text


def test_statistics_fail_their_checksum():
    sums = np.arange(48, dtype=np.float64).reshape(2, 3, 8)
    data = statistics.encode(sums)
    assert np.array_equal(statistics.decode(data, 2, 3, 8), sums)
    for bad in (data[:-1], b"", data[:5] + b"x" + data[6:]):
        with pytest.raises(ValueError, match="checksum"):
            statistics.decode(bad, 2, 3, 8)
