"""SIGKILL at any moment, a full disk, then the same again: the run of an uninterrupted process."""

import random
import signal

import pytest

from latentcomp.train import checkpoint
from latentcomp.train.log import read_curve

from ..processes import Server
from . import server as serving

STEPS, EVERY = 5, 2
MOMENTS = 6
TIMES = {"seconds", "waited"}


class Runs:
    """Training runs in processes that can be killed."""

    def __init__(self, run, teacher, folder):
        self._files = {name: folder / name for name in ("report", "errors")}
        self._fixed = {"run": str(run), "teacher": str(teacher), **self._files}
        self._server = Server(serving.work, serving.prepare)

    def __call__(self, folder, *, crash=0, after=0, limit=0, **changes):
        """Exit code of a run, and how often it changed the disk."""
        order = {
            **self._fixed,
            "folder": str(folder),
            "crash": crash,
            "after": after,
            "limit": limit,
            "changes": {"steps": STEPS, "save_every": EVERY} | changes,
        }
        self._server.start(order)
        code = self._server.wait()
        return code, int(self._files["report"].read_bytes() or b"0")

    @property
    def errors(self):
        return self._files["errors"].read_text()

    def close(self):
        self._server.close()


@pytest.fixture(scope="module")
def train(run_folder, teacher, tmp_path_factory):
    runs = Runs(run_folder, teacher, tmp_path_factory.mktemp("server"))
    yield runs
    runs.close()


def left(folder):
    """What a finished run leaves: weights, optimiser and curve without its times."""
    last = checkpoint.open_checkpoint(folder / "checkpoint")
    files = {
        path.relative_to(folder / "checkpoint"): path.read_bytes()
        for path in sorted((folder / "checkpoint").rglob("*"))
        if path.is_file()
    }
    curve = [{k: v for k, v in line.items() if k not in TIMES} for line in read_curve(folder)]
    return last.state.step, files, curve


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """A run that was never interrupted, and how often it changed the disk."""
    folder = tmp_path_factory.mktemp("whole") / "phase"
    code, changes = train(folder)
    assert code == 0, train.errors
    return left(folder), changes


def test_an_uninterrupted_run(whole):
    (step, files, curve), changes = whole
    assert step == STEPS
    assert {str(name) for name in files} == {
        "latest.json",
        *(f"step-{STEPS:08d}/{n}" for n in ("model.safetensors", "optimizer.safetensors")),
        f"step-{STEPS:08d}/state.json",
    }
    assert [line["step"] for line in curve] == list(range(1, STEPS + 1))
    assert changes > 20


def go_on(train, folder, whole):
    code, _ = train(folder)
    assert code == 0, train.errors
    assert left(folder) == whole[0]


@pytest.mark.parametrize("after", [1, 2, 5])
def test_killed_after_a_step(train, whole, tmp_path, after):
    assert train(tmp_path, after=after)[0] == -signal.SIGKILL
    saved = (after - 1) // EVERY * EVERY  # the step's own save comes after it is told
    assert checkpoint.exists(tmp_path / "checkpoint") == (saved > 0)
    go_on(train, tmp_path, whole)


@pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=[pytest.mark.slow] if n % 2 else []) for n in range(MOMENTS)],
)
def test_killed_while_writing(train, whole, tmp_path, number):
    """The moments are drawn from all writes, fsyncs and renames of the run, saves mostly."""
    changes = whole[1]
    point = random.Random(f"moment/{number}").randrange(
        2 + number * (changes - 2) // MOMENTS, 2 + (number + 1) * (changes - 2) // MOMENTS
    )
    assert train(tmp_path, crash=point)[0] == -signal.SIGKILL
    if checkpoint.exists(tmp_path / "checkpoint"):
        last = checkpoint.open_checkpoint(tmp_path / "checkpoint")  # never a half one
        assert last.state.step % EVERY == 0 or last.state.step == STEPS
    go_on(train, tmp_path, whole)


def test_killed_again_and_again(train, whole, tmp_path):
    for _ in range(2):
        assert train(tmp_path, crash=whole[1] // 3)[0] == -signal.SIGKILL
    assert train(tmp_path, after=4)[0] == -signal.SIGKILL
    go_on(train, tmp_path, whole)


def test_a_finished_run_is_left_alone(train, whole, tmp_path):
    assert train(tmp_path)[0] == 0
    assert train(tmp_path)[1] == 0, "nothing is written"
    assert left(tmp_path) == whole[0]


def test_a_full_disk_keeps_the_last_checkpoint(train, whole, tmp_path):
    assert train(tmp_path, after=3)[0] == -signal.SIGKILL
    before = left(tmp_path)[1]
    size = max(map(len, before.values()))
    assert train(tmp_path, limit=size // 2)[0] == serving.REFUSED
    (line,) = train.errors.splitlines()
    assert "disk is full" in line
    assert {n: d for n, d in left(tmp_path)[1].items() if n in before} == before
    go_on(train, tmp_path, whole)


@pytest.mark.parametrize(
    ("change", "field", "values"),
    [
        ({"seed": 1}, "seed", ("0", "1")),
        ({"steps": 9}, "recipe.budget.steps", ("5", "9")),
        ({"batch_size": 3}, "recipe.data.batch_size", ("2", "3")),
        ({"lr": 0.5}, "recipe.optimiser.lr", ("0.001", "0.5")),
    ],
)
def test_another_run_is_refused_with_what_differs(train, tmp_path, change, field, values):
    assert train(tmp_path, after=3)[0] == -signal.SIGKILL
    before = left(tmp_path)[1]
    assert train(tmp_path, **change)[0] == serving.REFUSED
    (line,) = train.errors.splitlines()
    assert f"{field} was {values[0]}, now {values[1]}" in line
    assert "--restart" in line
    assert left(tmp_path)[1] == before
