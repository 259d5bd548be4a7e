"""`latentcomp extract` from the command line to the bytes of the store."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from latentcomp.corpus.chronicle import generate
from latentcomp.extract import runner
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.tokens import tokenize_document
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.info import describe

from . import tiny_models
from .command_line import contents, run_command

DOCUMENTS = 24
SEED = 5


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "tiny"
    return tiny_models.save(tiny_models.tiny_qwen3(5, hidden=16), folder)


def options(teacher, run, **changes):
    """A command line that makes several shards of several batches."""
    chosen = {
        "teacher": teacher,
        "run": run,
        "layers": "-2,-4",
        "documents": DOCUMENTS,
        "seed": SEED,
        "batch-tokens": 3000,
        "tokens-per-second": 1000,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["extract", *(str(x) for name, value in chosen.items() for x in (f"--{name}", value))]


@pytest.fixture(scope="session")
def finished(teacher, tmp_path_factory):
    """A run that was never interrupted."""
    from latentcomp import cli

    run = tmp_path_factory.mktemp("finished") / "run"
    assert cli.run(options(teacher, run)) == 0
    return run


@pytest.mark.parametrize("left", [".lock", ".lock.0-2", "ledger/000001.json"])
def test_what_a_writer_left_that_was_killed_behind_the_seal_is_taken_away(
    teacher, finished, tmp_path, capsys, left
):
    """A lock that nobody holds, or a record that the ledger of the sealed store replaces."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    stray = run / "store" / left
    stray.parent.mkdir(exist_ok=True)
    stray.write_text('{"name": "latentcomp extract", "pid": 0, "host": "gone"}')
    ran = run_command(capsys, *options(teacher, run))
    assert ran.code == 0 and "nothing to do" in ran.out
    assert contents(run / "store") == contents(finished / "store")


def test_the_store_holds_what_hugging_face_computes(teacher, finished):
    lm = load_causal_lm(str(teacher))
    store = FeatureStore(finished / "store")
    assert store.layers == (2, 4)
    assert len(store) == DOCUMENTS
    for index, document in enumerate(generate("lab", "train", DOCUMENTS, SEED)):
        entry = tokenize_document(lm, document)
        ids = torch.as_tensor(entry.token_ids)
        found = store.read(index)
        assert found.document_id == document.document_id
        assert torch.equal(found.token_ids, ids)
        assert torch.equal(found.chunk_index, torch.as_tensor(entry.chunk_of_token))
        days = torch.tensor([chunk.day for chunk in document.chunks])
        assert torch.equal(found.day, days[found.chunk_index])
        with torch.inference_mode():
            full = lm.model(ids[None], output_hidden_states=True).hidden_states
        for axis, number in enumerate((-4, -2)):
            # bfloat16 rounding (2^-9) after float32 noise between batch shapes.
            torch.testing.assert_close(
                found.states[:, axis].float(), full[number][0], rtol=2**-7, atol=1e-3
            )


def test_plan_and_result_are_told(capsys, teacher, tmp_path):
    ran = run_command(capsys, *options(teacher, tmp_path / "run"))
    tokens = int(FeatureStore(tmp_path / "run" / "store").lengths.sum())
    assert ran.code == 0
    for text in (
        "extraction plan",
        "tiny (5 blocks x 16)",
        "after 2 blocks, after 4 blocks; kept as bfloat16",
        f"{tokens:,}",
        f"{tokens * 2 * 16 * 2 / 1e9:.3f} GB",
        "at 1,000 tokens/s",
        f"{DOCUMENTS}/{DOCUMENTS} documents",
    ):
        assert text in ran.out


def test_dry_run_writes_nothing(capsys, teacher, tmp_path):
    ran = run_command(capsys, *options(teacher, tmp_path / "run"), "--dry-run")
    assert ran.code == 0
    assert "dry run: nothing was written" in ran.out
    assert not (tmp_path / "run").exists()


def test_the_rate_is_measured_unless_given(capsys, teacher, tmp_path):
    arguments = options(teacher, tmp_path / "run", documents=2)
    without = [a for a in arguments if a not in ("--tokens-per-second", "1000")]
    ran = run_command(capsys, *without, "--dry-run")
    assert ran.code == 0
    assert "tokens/s" in ran.out


def test_a_finished_run_is_left_alone(capsys, monkeypatch, teacher, finished):
    before = contents(finished)
    monkeypatch.setattr(runner, "load_teacher", None)  # it must not even be looked at
    for more in ([], ["--dry-run"]):
        ran = run_command(capsys, *options(teacher, finished), *more)
        assert ran.code == 0
        assert f"is complete: {DOCUMENTS} documents" in ran.out
    assert contents(finished) == before


def test_what_is_asked_by_default_is_the_runs_own_corpus(capsys, teacher, finished):
    arguments = ["extract", "--teacher", teacher, "--run", finished, "--layers", "-2,-4"]
    ran = run_command(capsys, *arguments, "--batch-tokens", 3000)
    assert "nothing to do" in ran.out


KILLER = """
import json, os, signal, sys
from latentcomp import cli
from latentcomp.extract import runner
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3ForCausalLM  # lazy else

PLACES = {
    "batch": (TransformersTeacher, "queue"),
    "sync": (os, "fsync"),
    "rename": (os, "replace"),
}

def kill_in(moment, after):
    owner, name = PLACES[moment]
    original, calls = getattr(owner, name), []

    def until(*args, **kwargs):
        calls.append(name)
        if len(calls) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, until)

codes = []
for moment, after, arguments in json.loads(sys.argv[1]):
    child = os.fork()  # nothing but imports has happened here: a cheap fresh process
    if child == 0:
        kill_in(moment, after)
        os._exit(cli.run(arguments))
    _, status = os.waitpid(child, 0)
    codes.append(os.waitstatus_to_exitcode(status))
print("\\n" + json.dumps(codes))
"""
MOMENTS = (("batch", 0), ("batch", 6), ("sync", 42), ("rename", 16), ("rename", 23), ("rename", 24))


@pytest.fixture(scope="module")
def killed(teacher, tmp_path_factory):
    """Run folders of extractions that got SIGKILL before that call number of that function."""
    runs = {moment: tmp_path_factory.mktemp("killed") / "run" for moment in MOMENTS}
    cases = [(*moment, options(teacher, run)) for moment, run in runs.items()]
    package = Path(__file__).resolve().parents[2] / ".dev"
    done = subprocess.run(
        [sys.executable, "-c", KILLER, json.dumps(cases)],
        env={**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(MOMENTS)
    return runs


def test_the_kills_fell_before_between_within_and_behind_shards(killed):
    stores = [describe(run / "store") for run in killed.values()]
    committed = {store.committed_shards for store in stores}
    # Two shards are committed beside each other, so how many are done between them may differ.
    assert committed >= {0, 3} and committed & {1, 2}
    assert not any(store.complete for store in stores)
    left = [path for run in killed.values() for path in (run / "store").rglob("*.partial")]
    assert left, "no kill fell between the writing of a file and its renaming"


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_killed_and_resumed_is_byte_identical(capsys, teacher, finished, killed, moment):
    run = killed[moment]
    assert not (run / "store" / "seal.json").exists()
    left = describe(run / "store").committed_shards < 3  # else there is only the seal to write
    assert run_command(capsys, *options(teacher, run)).code == 0
    assert contents(run / "store") == contents(finished / "store")
    assert contents(run / "corpus") == contents(finished / "corpus")
    sessions = json.loads((run / "extract.json").read_text())["sessions"]
    assert [session["seconds"] is None for session in sessions] == [True, False][: 1 + left]


def stop_after(monkeypatch, batches, error):
    """Let the teacher fail after so many batches."""
    original = TransformersTeacher.queue
    calls = []

    def queue(self, documents, layers):
        calls.append(len(documents))
        if len(calls) > batches:
            raise error
        return original(self, documents, layers)

    monkeypatch.setattr(TransformersTeacher, "queue", queue)


def test_interrupted_by_the_user(capsys, monkeypatch, teacher, finished, tmp_path):
    with monkeypatch.context() as patch:
        stop_after(patch, 7, KeyboardInterrupt())
        ran = run_command(capsys, *options(teacher, tmp_path))
    assert ran.code == 130
    assert ran.err == "interrupted; run the same command again to go on\n"
    resumed = run_command(capsys, *options(teacher, tmp_path))
    assert f"left of {DOCUMENTS}" in resumed.out
    assert contents(tmp_path / "store") == contents(finished / "store")


def test_resuming_reads_only_what_is_missing(capsys, monkeypatch, teacher, finished, tmp_path):
    with monkeypatch.context() as patch:
        stop_after(patch, 7, KeyboardInterrupt())
        run_command(capsys, *options(teacher, tmp_path))
    read = []
    original = TransformersTeacher.queue

    def queue(self, documents, layers):
        read.extend(documents)
        return original(self, documents, layers)

    monkeypatch.setattr(TransformersTeacher, "queue", queue)
    assert run_command(capsys, *options(teacher, tmp_path)).code == 0
    assert 0 < len(read) < DOCUMENTS


def test_killed_before_the_seal(capsys, monkeypatch, teacher, finished, tmp_path):
    """Every shard is committed, only the seal is missing: the next run adds it."""
    from latentcomp.store.format import seal

    with monkeypatch.context() as patch:
        patch.setattr(seal, "write_seal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert run_command(capsys, *options(teacher, tmp_path)).code == 130
    assert "nothing to do" in run_command(capsys, *options(teacher, tmp_path)).out
    assert contents(tmp_path / "store") == contents(finished / "store")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"batch_tokens": 2000}, "was begun with --batch-tokens 3000, not 2000"),
        ({"compute_dtype": "bfloat16"}, "was begun with --compute-dtype float32, not bfloat16"),
        ({"layers": "-2"}, "layers"),
        ({"dtype": "float16"}, "dtype = 'bfloat16', but 'float16'"),
        ({"codec": "zstd"}, "codec = 'raw', but 'zstd'"),
        ({"seed": 6}, "holds a corpus with seed 5, not 6"),
        ({"documents": 9}, f"holds a corpus with documents {DOCUMENTS}, not 9"),
        ({"preset": "qwen3-30b"}, "holds a corpus with preset 'lab', not 'qwen3-30b'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_another_request_for_the_same_run_is_refused(capsys, teacher, finished, changes, says):
    before = contents(finished)
    assert says in run_command(capsys, *options(teacher, finished, **changes)).error
    assert contents(finished) == before


def test_a_store_of_another_teacher(capsys, finished, tmp_path):
    other = tiny_models.save(tiny_models.tiny_qwen3(5, hidden=16, seed=1), tmp_path / "tiny")
    before = contents(finished)
    error = run_command(capsys, *options(other, finished)).error
    assert "this store has teacher.weights_sha256 = " in error
    assert contents(finished) == before


def test_float16_and_float32_stores(capsys, teacher, finished, tmp_path):
    reference = FeatureStore(finished / "store").read(0).states.float()
    for dtype in ("float16", "float32"):
        run = tmp_path / dtype
        assert run_command(capsys, *options(teacher, run, dtype=dtype, documents=2)).code == 0
        states = FeatureStore(run / "store").read(0).states
        assert states.dtype == getattr(torch, dtype)
        torch.testing.assert_close(states.float(), reference, rtol=2**-7, atol=1e-3)


def test_documents_of_ones_own(capsys, teacher, tmp_path):
    lines = [
        {"document_id": f"d{i}", "chunks": [{"text": f"Ana has {i}."}, {"text": "So."}]}
        for i in range(5)
    ]
    source = tmp_path / "mine.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)))
    arguments = ["extract", "--teacher", teacher, "--layers", "-2", "--corpus", source]
    assert run_command(capsys, *arguments, "--run", tmp_path / "run").code == 0
    store = FeatureStore(tmp_path / "run" / "store")
    assert store.document_ids == ("d0", "d1", "d2", "d3", "d4")
    assert set(np.asarray(store.read(3).day)) == {-1}
    assert "nothing to do" in run_command(capsys, *arguments, "--run", tmp_path / "run").out
    source.write_text(json.dumps(lines[0]))
    error = run_command(capsys, *arguments, "--run", tmp_path / "run").error
    assert "holds another corpus (5 documents" in error
