"""A real Ray cluster of two nodes fills one store; a worker is killed midway."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from latentcomp import cli
from latentcomp.common.errors import TeacherError

from . import tiny_models
from .command_line import contents, run_command

pytestmark = pytest.mark.ray

PACKAGE = Path(__file__).resolve().parents[2] / ".dev"


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """In this process as in Ray's: the last bits of a product depend on how many share it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, as processes of their own on this machine."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        known = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(PACKAGE), known])))
        patch.setenv("OMP_NUM_THREADS", "1")
        nodes = Cluster()
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        nodes.wait_for_nodes()
        ray.init(address=nodes.address, log_to_driver=False)
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        yield nodes
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "tiny"
    return tiny_models.save(tiny_models.tiny_qwen3(8, hidden=64), folder)


def command(teacher, run, *more):
    return [
        "extract", "--teacher", str(teacher), "--run", str(run), "--layers", "-2,-4",
        "--documents", "120", "--seed", "5", "--batch-tokens", "2000", "--device", "cpu",
        "--reading", "packed", "--tokens-per-second", "1000", "--backend", "transformers", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(checkpoint, tmp_path_factory):
    """The store of a single process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    assert cli.run(command(checkpoint, run)) == 0
    return contents(run / "store")


class Killer(threading.Thread):
    """Sends SIGKILL to the first process that has committed a shard of its part and is at it."""

    def __init__(self, store):
        super().__init__(daemon=True)
        self.store, self.killed, self.committed = store, None, None

    def run(self):
        end = time.monotonic() + 240
        while self.killed is None and time.monotonic() < end:
            self._look()
            time.sleep(0.005)

    def _look(self):
        shards = {int(path.stem) for path in self.store.glob("ledger/*") if path.stem.isdigit()}
        for lock in self.store.glob(".lock.*"):
            first, _, last = lock.name.removeprefix(".lock.").partition("-")
            mine = shards.intersection(range(int(first), int(last)))
            if 0 < len(mine) < int(last) - int(first):
                owner = json.loads(lock.read_text() or "{}")
                if owner:
                    os.kill(owner["pid"], signal.SIGKILL)
                    self.killed, self.committed = owner["pid"], len(mine)
                    return


def test_a_killed_worker_loses_nothing(cluster, checkpoint, alone, tmp_path):
    run = tmp_path / "run"
    killer = Killer(run / "store")
    killer.start()
    assert cli.run(command(checkpoint, run, "--ray", cluster.address)) == 0
    assert killer.killed, "no worker was killed while it was at a part"
    assert contents(run / "store") == alone
    sessions = json.loads((run / "extract.json").read_text())["sessions"]
    assert any(session["seconds"] is None for session in sessions)  # that of the killed one
    assert sum(session["seconds"] is not None for session in sessions) >= 2


def test_what_is_complete_is_left_alone(cluster, checkpoint, alone, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.run(command(checkpoint, run)) == 0
    ran = run_command(capsys, *command(checkpoint, run, "--ray", cluster.address))
    assert "nothing to do" in ran.out
    assert contents(run / "store") == alone


def test_what_a_worker_says_is_one_line(cluster, tmp_path, capsys):
    ran = run_command(capsys, *command(tmp_path / "no-model", tmp_path / "run", "--ray", "auto"))
    assert "no-model" in ran.error


def test_the_cause_is_found_under_what_ray_wraps():
    from ray.exceptions import RayTaskError

    from latentcomp.extract.ray_extract import _user_error

    inner = TeacherError("no such layer")
    wrapped = RayTaskError("work", "a traceback", inner)
    assert _user_error(wrapped) is inner
    assert "the Ray cluster failed (gone)" in str(_user_error(ConnectionError("gone")))
