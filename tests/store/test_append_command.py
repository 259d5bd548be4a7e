"""`latentcomp store append`: a run grows by documents, and only those are read."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from latentcomp import cli
from latentcomp.commands import store_append as appending
from latentcomp.commands.store_verify import RecomputeRequest, recompute
from latentcomp.common.lock import Lock
from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write import session

from ..extract import tiny_models
from . import samples

FIRST, ALL = 3, 7


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return tiny_models.save(tiny_models.tiny_qwen3(5), tmp_path_factory.mktemp("tiny") / "teacher")


@pytest.fixture(scope="module")
def documents():
    return tuple(generate("lab", "train", ALL, 5))


@pytest.fixture(scope="module")
def begun(tmp_path_factory, teacher, documents):
    """A finished run with the first documents."""
    folder = tmp_path_factory.mktemp("begun")
    write_corpus(folder / "first", documents[:FIRST], {})
    command = ["extract", "--layers", "-2,-4", "--tokens-per-second", "1000"]
    command += ["--teacher", str(teacher), "--corpus", str(folder / "first")]
    assert cli.run([*command, "--run", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def run(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def more(tmp_path, documents):
    """Some of the old documents, and all of the new."""
    write_corpus(tmp_path / "more", documents[FIRST - 1 :], {})
    return tmp_path / "more"


def append(run, more, teacher):
    return cli.run(["store", "append", str(more), "--run", str(run), "--teacher", str(teacher)])


def check(run, teacher, documents):
    store = FeatureStore(run / "store")
    assert store.document_ids == tuple(document.document_id for document in documents)
    assert read_corpus(run / "corpus").documents == documents
    assert read_corpus(run / "corpus").sha256 == store.manifest.corpus_sha256
    assert verify(run / "store").ok
    asked = RecomputeRequest(run / "store", len(store), teacher=str(teacher))
    assert recompute(asked).problems == ()
    assert {path.name for path in run.iterdir()} == {
        "corpus", "store", "extract.json", "models.json",
    }  # fmt: skip


def test_only_new_documents_are_read(run, more, teacher, documents, monkeypatch, capsys):
    before = {i: FeatureStore(run / "store").read(i).states for i in range(FIRST)}
    read = []

    def spy(self, batch, layers, original=TransformersTeacher.states):
        read.extend(batch)
        return original(self, batch, layers)

    monkeypatch.setattr(TransformersTeacher, "states", spy)
    assert append(run, more, teacher) == 0
    assert "4 documents" in capsys.readouterr().out
    monkeypatch.undo()
    check(run, teacher, documents)
    store = FeatureStore(run / "store")
    for index, states in before.items():
        assert store.read(index).states.equal(states)
    assert append(run, more, teacher) == 0
    assert "nothing to do" in capsys.readouterr().out


STEPS = ["draft", "_grow", "rename 1", "rename 2", "rmtree", "extract"]


def interrupt(monkeypatch, step):
    """Let the next append stop just before a step."""
    count = 0

    def dying(*arguments, **named):
        raise KeyboardInterrupt

    def renaming(path, target, rename=Path.rename):
        nonlocal count
        count += 1
        return dying() if f"rename {count}" == step else rename(path, target)

    if step.startswith("rename"):
        monkeypatch.setattr(Path, "rename", renaming)
    elif step == "rmtree":
        monkeypatch.setattr(shutil, step, lambda path, **named: named or dying())
    else:
        monkeypatch.setattr(appending, step, dying)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=() if step in ("_grow", "rename 2") else pytest.mark.slow)
        for step in STEPS
    ],
)
def test_killed_between_any_two_steps_it_goes_on(run, more, teacher, documents, monkeypatch, step):
    with monkeypatch.context() as patch:
        interrupt(patch, step)
        assert append(run, more, teacher) == cli.INTERRUPTED
    assert append(run, more, teacher) == 0
    check(run, teacher, documents)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=() if step in ("_grow", "rename 2") else pytest.mark.slow)
        for step in STEPS
    ],
)
def test_the_extract_that_messages_advise_finishes_a_killed_append(
    run, more, teacher, documents, monkeypatch, capsys, step
):
    """`run the same extract command again`: no generated document ever comes into the run."""
    with monkeypatch.context() as patch:
        interrupt(patch, step)
        assert append(run, more, teacher) == cli.INTERRUPTED
    decided = step not in ("draft", "_grow")
    again = ["extract", "--layers", "-2,-4", "--teacher", str(teacher), "--run", str(run)]
    assert cli.run(again) == 0
    assert read_corpus(run / "corpus").documents == documents[: ALL if decided else FIRST]
    assert FeatureStore(run / "store").complete and verify(run / "store").ok
    assert append(run, more, teacher) == 0
    check(run, teacher, documents)


def test_killed_while_its_tables_are_written_it_goes_on_with_either_command(
    run, more, teacher, documents, monkeypatch
):
    def dying(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "parquet_parts", dying)
        assert append(run, more, teacher) == cli.INTERRUPTED
    again = ["extract", "--layers", "-2,-4", "--teacher", str(teacher), "--run", str(run)]
    assert cli.run(again) == 0
    check(run, teacher, documents)


def test_a_second_append_at_the_same_time_is_refused(run, more, teacher, documents, capsys):
    with Lock(run, "latentcomp store append"):
        assert append(run, more, teacher) == 2
        assert "is writing to" in capsys.readouterr().err
    assert append(run, more, teacher) == 0
    check(run, teacher, documents)


def test_a_corpus_that_an_older_version_left_behind_is_never_deleted(
    run, more, teacher, documents, capsys
):
    """It renamed the run's corpus away, and the next extract generated one in its place."""
    shutil.copytree(run / "corpus", run / "corpus.last")
    precious = samples.contents(run / "corpus.last")
    write_corpus(run / "corpus", generate("lab", "train", 2, 9), {})
    assert append(run, more, teacher) == 2
    assert "put that one back" in capsys.readouterr().err
    assert samples.contents(run / "corpus.last") == precious
    shutil.rmtree(run / "corpus")
    (run / "corpus.last").rename(run / "corpus")
    assert append(run, more, teacher) == 0
    check(run, teacher, documents)


def test_another_document_under_a_known_id_is_refused(run, tmp_path, teacher, documents, capsys):
    changed = dataclasses.replace(documents[1], document_id=documents[0].document_id)
    write_corpus(tmp_path / "more", [changed], {})
    before = sorted(path.name for path in run.rglob("*"))
    assert append(run, tmp_path / "more", teacher) == 2
    assert "is in the run already, but not the same" in capsys.readouterr().err
    assert sorted(path.name for path in run.rglob("*")) == before


def test_another_teacher_or_no_store_is_one_line(run, more, tmp_path, capsys):
    other = tiny_models.save(tiny_models.tiny_qwen3(5, seed=1), tmp_path / "teacher")
    assert append(run, more, other) == 2
    assert "weights_sha256" in capsys.readouterr().err
    assert append(tmp_path / "nowhere", more, other) == 2
    assert "no feature store here to append to" in capsys.readouterr().err
    assert cli.run(["store", "append", str(more), "--run", str(run)]) == 2
    assert "say where it lies with --teacher" in capsys.readouterr().err
