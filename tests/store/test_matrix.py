"""The fault matrix: a file of a run x what happened to it x a command. Each is right, or one true
line with a next step, which is done here, and after which the same command works."""

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from latentcomp import cli
from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.files import write_corpus
from latentcomp.store.format import ledger
from latentcomp.store.places.open import place_of
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify

from ..extract import tiny_models
from . import append_server, samples

FILES = (
    "store/manifest.json",
    "store/seal.json",
    "store/ledger.parquet",
    "store/documents.parquet",
    "store/chunks.parquet",
    "store/zarr.json",
    "store/states/zarr.json",
    "store/states/c.1.0.0",
    "store/token_ids/c.1",
    "store/statistics/c.1.0.0.0",
    "corpus/corpus.json",
    "extract.json",
)
UNFINISHED = (
    "store/ledger/000001.json",
    "store/states/c.1.0.0",
    "store/documents.parquet",
    "store/manifest.json",
)
"""The same of a run that was interrupted."""
DAMAGES = ("missing", "emptied", "cut", "flipped", "foreign")
COMMANDS = ("reader", "verify", "resume", "append", "merge", "export", "repair")
FAST = {("store/seal.json", "missing")}
"""Tried whenever tests run; the others take minutes."""


@dataclass(frozen=True)
class Runs:
    """Finished and interrupted runs of two corpora, and what is to come out."""

    folder: Path
    teacher: Path

    def command(self, name: str, run: Path) -> list[str]:
        """The command line of a column of the matrix."""
        store, out = str(run / "store"), str(run.parent / "out")
        teacher = ["--teacher", str(self.teacher)]
        return {
            "verify": ["store", "verify", "--run", str(run)],
            "resume": [*self.extract(run)],
            "append": ["store", "append", str(self.folder / "more"), "--run", str(run), *teacher],
            "merge": ["store", "merge", store, "--out", out],
            "export": ["store", "export", "--run", str(run), "--out", out],
            "repair": ["store", "repair", "--run", str(run), *teacher],
        }[name]

    def extract(self, run: Path) -> list[str]:
        """The command that made the run."""
        options = ["--layers", "-2,-4", "--tokens-per-second", "1000", "--run", str(run)]
        return ["extract", *options, "--teacher", str(self.teacher)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    made = Runs(folder, tiny_models.save(tiny_models.tiny_qwen3(5), folder / "teacher"))
    append_server.small_shards()
    for name, seed in (("mine", 5), ("other", 6)):
        documents = tuple(generate("lab", "train", 4, seed))
        write_corpus(folder / f"{name}-corpus", documents[:3], {})
        command = [*made.extract(folder / name), "--corpus", str(folder / f"{name}-corpus")]
        assert cli.run(command) == 0
        write_corpus(folder / "more" if name == "mine" else folder / "-", documents[3:], {})
    for name in ("mine", "other"):
        begun = shutil.copytree(folder / name, folder / f"{name}-begun") / "store"
        place = place_of(begun)
        records = ledger.read_table(place)
        for shard in list(records)[:-1]:
            ledger.write_sealed(place, ledger.record_name(shard), records[shard])
        for path in ("seal.json", "ledger.parquet", f"states/c.{len(records) - 1}.0.0"):
            (begun / path).unlink()
    shutil.copytree(folder / "mine", folder / "appended")
    assert cli.run(made.command("append", folder / "appended")) == 0
    yield made
    append_server.set_shard_tokens(8192)


def damage(runs: Runs, run: Path, file: str, kind: str) -> None:
    """Let it happen to a file of a run."""
    path, begun = run / file, "-begun" if run.name == "begun" else ""
    data = bytearray(path.read_bytes())
    if kind == "missing":
        path.unlink()
    elif kind == "emptied":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(data[: len(data) * 2 // 3])
    elif kind == "flipped":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    else:
        shutil.copyfile(runs.folder / f"other{begun}" / file, path)


def outcome(runs: Runs, name: str, run: Path, capsys) -> str:
    """The line that a command ends with; empty if it worked."""
    capsys.readouterr()
    shutil.rmtree(run.parent / "out", ignore_errors=True)
    if name == "reader":
        command = ["store", "export", "--run", str(run), "--out", str(run.parent / "out")]
    else:
        command = runs.command(name, run)
    code, error = cli.run(command), capsys.readouterr().err
    if code == 0:
        return ""
    assert code == 2, error
    assert error.startswith("error: ") and error.count("\n") == 1, error
    return str(error)


UNREAD = ("resume", "append")
"""Commands that do not read what was committed: what they leave of a damaged file, of the right
size, is noticed by every reader, and `store verify` says it."""

RESTORED: dict[str, Callable[[Runs, Path, str], object]] = {
    "put it back": lambda runs, run, file: back(runs, run, file),
    "put the file back": lambda runs, run, file: back(runs, run, file),
    "put its corpus.json back": lambda runs, run, file: back(runs, run, file),
    "put that one back": lambda runs, run, file: back(runs, run, file),
    "write the corpus again": lambda runs, run, file: back(runs, run, file),
    "write it with `latentcomp corpus`": lambda runs, run, file: back(runs, run, file),
    "is this the folder of a feature store": lambda runs, run, file: back(runs, run, file),
    "write one with `extract`": lambda runs, run, file: back(runs, run, file),
    "choose an empty folder": lambda runs, run, file: back(runs, run, file),
    "or choose another --run": lambda runs, run, file: back(runs, run, file),
    "choose another folder": lambda runs, run, file: back(runs, run, file),
}
"""Steps that no command takes: the user has a copy, or goes elsewhere."""


def back(runs: Runs, run: Path, file: str) -> None:
    """The user's own copy of a file comes back, or the run that it belongs to."""
    begun = "-begun" if run.name == "begun" else ""
    shutil.copyfile(runs.folder / f"mine{begun}" / file, run / file)


def take(runs: Runs, run: Path, file: str, line: str, capsys, depth: int = 0) -> None:
    """Do what a line says."""
    commands = re.findall(r"`(latentcomp store repair [^`]*)`", line)
    if "run the same `extract` command again" in line:
        command = runs.extract(run)
    elif commands:
        command = [*shlex.split(commands[0])[1:], "--teacher", str(runs.teacher)]
    else:
        command = []
    if command:
        capsys.readouterr()
        if cli.run(command) != 0:  # it says more than the line before, and has a step of its own
            assert depth < 2, line
            take(runs, run, file, capsys.readouterr().err, capsys, depth + 1)
        return
    for step, action in RESTORED.items():
        if step in line:
            action(runs, run, file)
            return
    pytest.fail(f"no next step: {line}")


def check_result(runs: Runs, name: str, run: Path) -> None:
    """What a command that worked left is right."""
    wanted = runs.folder / ("appended" if name == "append" else "mine")
    store = FeatureStore(run.parent / "out" if name == "merge" else run / "store")
    expected = FeatureStore(wanted / "store")
    assert store.document_ids == expected.document_ids
    for index in range(len(expected)):
        assert store.read(index).states.equal(expected.read(index).states)
    if name in ("resume", "append", "repair", "verify"):
        assert verify(run / "store").ok
        assert samples.contents(run / "store") == samples.contents(wanted / "store")


CASES = [
    pytest.param(
        state,
        file,
        kind,
        marks=() if state == "mine" and (file, kind) in FAST else (pytest.mark.slow,),
        id=f"{state}-{file}-{kind}",
    )
    for state, files in (("mine", FILES), ("begun", UNFINISHED))
    for file in files
    for kind in DAMAGES
]


@pytest.mark.parametrize(("state", "file", "kind"), CASES)
def test_each_is_right_or_one_true_line_with_a_step_that_works(
    runs, tmp_path, capsys, state, file, kind
):
    original = runs.folder / ("mine" if state == "mine" else "mine-begun")
    for name in COMMANDS:
        run = shutil.copytree(original, tmp_path / name / state)
        damage(runs, run, file, kind)
        if kind == "missing" and file == "corpus/corpus.json":
            precious = samples.contents(run / "corpus")
        line = outcome(runs, name, run, capsys)
        steps = 0
        while line:
            steps += 1
            assert steps <= 2, f"{name}: {line}"
            take(runs, run, file, line, capsys)
            line = outcome(runs, name, run, capsys)
        if name in UNREAD and (line := outcome(runs, "verify", run, capsys)):
            take(runs, run, file, line, capsys)
        check_result(runs, "export" if name == "reader" else name, run)
        if kind == "missing" and file == "corpus/corpus.json":
            assert precious.items() <= samples.contents(run / "corpus").items() or name == "append"
