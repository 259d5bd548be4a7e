"""SIGKILL at any moment of `store append`, then the same command: the store of one that went
through; what was stored before is never damaged."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from latentcomp import cli
from latentcomp.common.atomic import PARTIAL_SUFFIX
from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.store.format.schema import Manifest
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify

from ..extract import tiny_models
from ..processes import Server, running
from . import append_server, samples

FIRST, ALL = 3, 7


@dataclass(frozen=True)
class Appended:
    """A run before and after an append that nobody killed."""

    before: Path
    more: Path
    teacher: Path
    server: Server
    states: dict[str, torch.Tensor]
    store: dict[str, bytes]
    corpus: dict[str, bytes]

    def start(self, run: Path) -> int:
        return self.server.start(run, self.more, self.teacher)


@pytest.fixture(scope="module")
def appended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appended]:
    folder = tmp_path_factory.mktemp("append")
    teacher = tiny_models.save(tiny_models.tiny_qwen3(5), folder / "teacher")
    documents = tuple(generate("lab", "train", ALL, 5))
    write_corpus(folder / "first", documents[:FIRST], {})
    write_corpus(folder / "more", documents[FIRST - 1 :], {})
    usual = Manifest.model_fields["shard_tokens"].default
    append_server.small_shards()
    command = ["extract", "--layers", "-2,-4", "--tokens-per-second", "1000"]
    command += ["--teacher", str(teacher), "--corpus", str(folder / "first")]
    assert cli.run([*command, "--run", str(folder / "run")]) == 0
    append_server.set_shard_tokens(usual)
    for copy in ("warm", "golden"):
        shutil.copytree(folder / "run", folder / copy)
    arguments = (folder / "warm", folder / "more", teacher)
    server = Server(append_server.work, append_server.prepare, *arguments)
    server.start(folder / "golden", folder / "more", teacher)
    assert server.wait() == 0
    store = FeatureStore(folder / "golden" / "store")
    assert verify(folder / "golden" / "store").ok
    yield Appended(
        before=folder / "run",
        more=folder / "more",
        teacher=teacher,
        server=server,
        states={name: store.read(i).states for i, name in enumerate(store.document_ids)},
        store=samples.contents(folder / "golden" / "store"),
        corpus=samples.contents(folder / "golden" / "corpus"),
    )
    server.close()


def check_what_is_left(run: Path, appended: Appended) -> None:
    """Whatever can be read is right; the shards that were full before have not changed."""
    path = run / "store"
    partial = FeatureStore(path, allow_partial=True)
    for index, name in enumerate(partial.document_ids):
        assert partial.read(index).states.equal(appended.states[name])
    for name, data in samples.contents(appended.before / "store").items():
        if name.startswith(("states/c", "token_ids/c")) and appended.store[name] == data:
            assert (path / name).read_bytes() == data


def kill_after(pid: int, seconds: float) -> float:
    """Kill a process, unless it ends earlier; how long it lived."""
    begin = time.perf_counter()
    while running(pid) and time.perf_counter() - begin < seconds:
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    return time.perf_counter() - begin


def killed_appends(appended: Appended, folder: Path, kills: int, seed: int) -> Iterator[Path]:
    """Runs whose append was killed now and then and got through in the end."""
    random_ = random.Random(seed)
    number = killed = 0
    seconds = 1.0
    """That a run takes, as far as is known."""
    while killed < kills:
        number += 1
        run = Path(shutil.copytree(appended.before, folder / f"run{number}"))
        while True:  # the same run is killed again and again until one gets through
            lived = kill_after(appended.start(run), random_.uniform(0.0, seconds))
            if appended.server.wait() == 0:
                seconds = lived
                break
            killed += 1
            check_what_is_left(run, appended)
            seconds *= 1.1  # too short a guess would never let one through
        yield run
        shutil.rmtree(run)


@pytest.mark.slow
def test_a_store_of_several_shards_grew_by_several(appended: Appended) -> None:
    before = [n for n in samples.contents(appended.before / "store") if n.startswith("states/c")]
    after = [n for n in appended.store if n.startswith("states/c")]
    assert len(before) >= 3
    assert len(after) >= len(before) + 3
    assert len(read_corpus(appended.before / "corpus").documents) == FIRST
    assert len(appended.states) == ALL


@pytest.mark.slow
def test_appends_killed_at_a_hundred_random_moments(appended: Appended, tmp_path: Path) -> None:
    for run in killed_appends(appended, tmp_path, kills=100, seed=4):
        assert samples.contents(run / "store") == appended.store
        assert samples.contents(run / "corpus") == appended.corpus
        # One that is killed while it writes its record leaves the temporary file, and only that.
        names = {path.name for path in run.iterdir() if path.suffix != PARTIAL_SUFFIX}
        assert names == {"corpus", "store", "extract.json", "models.json"}
