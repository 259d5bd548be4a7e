"""From `latentcomp extract --backend vllm` to the store, and how it waits for the disk."""

import threading

import numpy as np
import pytest
import torch

from latentcomp.extract.batches import plan_windows
from latentcomp.extract.fill import fill_store
from latentcomp.extract.releasing import max_uncommitted, write_function
from latentcomp.extract.teachers.vllm import teacher as teacher_module
from latentcomp.extract.teachers.vllm.channel import StateChannel
from latentcomp.extract.teachers.vllm.teacher import VllmTeacher
from latentcomp.models.layers import resolve_layers
from latentcomp.store.format.schema import DocumentEntry, Manifest
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from ..extract.command_line import contents, run_command
from .conftest import Bench
from .parity import assert_equal_states, documents_of

pytestmark = pytest.mark.vllm

DOCUMENTS = 12
BATCH = 1500
PATIENT = 300.0
"""Seconds after which something that must happen has not."""


def options(run, backend, **changes):
    chosen = {
        "run": run,
        "backend": backend,
        "teacher": "lab",
        "layers": "-6,-18,-30",
        "documents": DOCUMENTS,
        "seed": 5,
        "dtype": "float32",
        "batch-tokens": BATCH,
        "tokens-per-second": 1000,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["extract", *(str(x) for name, value in chosen.items() for x in (f"--{name}", value))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same extraction by either backend."""
    from latentcomp import cli

    root = tmp_path_factory.mktemp("runs")
    for backend in ("vllm", "transformers"):
        assert cli.run(options(root / backend, backend)) == 0
    return root


def test_both_stores_are_equal_in_everything_but_the_last_bits(runs):
    mine, theirs = contents(runs / "vllm" / "store"), contents(runs / "transformers" / "store")
    assert mine.keys() == theirs.keys()
    other = {name for name in mine if mine[name] != theirs[name]}
    states = {name for name in other if name.startswith(("states/", "statistics/"))}
    # The seal and the table of commits hold fingerprints of the states.
    assert other - states <= {"seal.json", "commits.parquet", "ledger.parquet"}, other
    a, b = (FeatureStore(runs / name / "store") for name in ("vllm", "transformers"))
    assert a.layers == b.layers == (19, 31, 43)
    for index in range(DOCUMENTS):
        actual, expected = a.read(index), b.read(index)
        assert torch.equal(actual.token_ids, expected.token_ids)
        assert torch.equal(actual.chunk_index, expected.chunk_index)
        assert_equal_states([actual.states], [expected.states])
    assert verify(runs / "vllm" / "store").ok


def test_a_run_that_was_interrupted_writes_the_same_bytes(runs, tmp_path, monkeypatch, capsys):
    compute, calls = VllmTeacher._compute, []

    def interrupted(self, documents):
        calls.append(len(documents))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(self, documents)

    arguments = options(tmp_path / "run", "auto")
    with monkeypatch.context() as patch:
        patch.setattr(VllmTeacher, "_compute", interrupted)
        ran = run_command(capsys, *arguments)
        assert ran.code == 130
    assert not verify(tmp_path / "run" / "store").complete
    ran = run_command(capsys, *arguments)
    assert ran.code == 0
    assert "backend: vllm (the store was begun with it)" in ran.out
    assert contents(tmp_path / "run" / "store") == contents(runs / "vllm" / "store")


def test_a_store_is_not_continued_with_the_other_engine(runs, capsys):
    ran = run_command(capsys, *options(runs / "vllm", "transformers"))
    assert "was begun with --backend vllm, not transformers" in ran.error
    ran = run_command(capsys, *options(runs / "transformers", "auto"))
    assert ran.code == 0
    assert "is complete" in ran.out


class SmallStore:
    """A store of many small shards, filled by vLLM with no more cache than it says it needs."""

    shard_tokens = 256
    batch_tokens = 800

    def __init__(self, bench, folder):
        self.bench, self.folder = bench, folder
        rng = np.random.default_rng(0)
        self.documents = documents_of(*rng.integers(1, 180, 250).tolist())
        self.layers = resolve_layers((-2, -3), bench.blocks)
        lengths = [len(document) for document in self.documents]
        self.windows = list(plan_windows(lengths, self.batch_tokens, packed=True))
        self.held = max_uncommitted(lengths, self.windows, self.shard_tokens)

    def writer(self):
        entries = [
            DocumentEntry(str(i), np.array(ids), np.zeros(len(ids), np.int64), (None,))
            for i, ids in enumerate(self.documents)
        ]
        manifest = Manifest(
            teacher=self.identity,
            layers=self.layers,
            dtype="float32",
            shard_tokens=self.shard_tokens,
            chunk_tokens=64,
            corpus_sha256="0",
            code_version="0",
        )
        return StoreWriter(self.folder, manifest, entries)

    def vllm(self):
        return self.bench.vllm(
            self.documents,
            self.layers,
            step_tokens=self.batch_tokens,
            held_tokens=self.held.tokens,
            held_documents=self.held.documents,
        )

    def fill(self, teacher):
        self.identity = teacher.identity
        with self.writer() as filled:
            pending = frozenset(filled.pending())
            fill_store(
                write_function(filled, teacher, self.documents),
                teacher,
                self.documents,
                self.windows,
                pending,
                self.layers,
                torch.float32,
                lambda batch: None,
            )


@pytest.fixture
def small(models, tmp_path):
    return SmallStore(Bench(models["dense"]), tmp_path / "store")


def test_the_cache_that_is_asked_for_suffices(small, monkeypatch):
    monkeypatch.setattr(teacher_module, "_COMMIT_TIMEOUT", PATIENT / 5)
    with small.vllm() as teacher:
        small.fill(teacher)
    assert small.held.tokens < sum(map(len, small.documents))  # or nothing would be shown
    store = FeatureStore(small.folder)
    actual = [store.read(index).states for index in range(len(small.documents))]
    assert_equal_states(actual, small.bench.expected(small.documents, small.layers))


def test_a_request_is_done_when_its_shard_is_committed_and_not_before(small, monkeypatch):
    """With the disk held up, the engine stops; nothing is reported as done before its commit."""
    let_go, waits, early = threading.Event(), threading.Event(), []
    committed: set[int] = set()
    publish, release, wait = LocalPlace.publish, VllmTeacher.release, StateChannel.wait_for_release
    ends = np.cumsum([len(document) for document in small.documents])

    def slow(self, staged):
        assert let_go.wait(PATIENT)
        publish(self, staged)
        committed.update(int(file.stem) for file in (small.folder / "ledger").glob("*.json"))

    def watched(self, documents):
        documents = list(documents)
        if documents:
            last_shard = (ends[small.documents.index(documents[-1])] - 1) // small.shard_tokens
            early.append(not committed.issuperset(range(last_shard + 1)))
        release(self, documents)

    def waited(self, seen, seconds):
        waits.set()
        return wait(self, seen, seconds)

    with small.vllm() as teacher:
        monkeypatch.setattr(LocalPlace, "publish", slow)
        monkeypatch.setattr(VllmTeacher, "release", watched)
        monkeypatch.setattr(StateChannel, "wait_for_release", waited)
        filling = threading.Thread(target=small.fill, args=(teacher,))
        filling.start()
        assert waits.wait(PATIENT)
        stopped = teacher.held_documents
        assert 0 < stopped < len(small.documents)
        filling.join(2)
        assert filling.is_alive()
        assert teacher.held_documents == stopped  # it really waits
        let_go.set()
        filling.join(PATIENT)
        assert not filling.is_alive()
    assert early
    assert not any(early)
    assert verify(small.folder).ok
