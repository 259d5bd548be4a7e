"""`latentcomp extract` from the command line to the bytes of the store."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from latentcomp.corpus.generators import generator
from latentcomp.extract import runner
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.tokens import tokenize_document
from latentcomp.store.read.reader import FeatureStore

from . import tiny_models
from .command_line import contents, run_command
from .runs import DOCUMENTS, GENERATOR, SEED, options


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
    documents = generator(GENERATOR).generate("lab", "train", DOCUMENTS, SEED)
    for index, document in enumerate(documents):
        entry = tokenize_document(lm, document)
        ids = torch.as_tensor(entry.token_ids)
        features = store.read(index)
        assert features.document_id == document.document_id
        assert torch.equal(features.token_ids, ids)
        assert torch.equal(features.chunk_index, torch.as_tensor(entry.chunk_of_token))
        days = torch.tensor([chunk.day for chunk in document.chunks])
        assert torch.equal(features.day, days[features.chunk_index])
        with torch.inference_mode():
            full = lm.model(ids[None], output_hidden_states=True).hidden_states
        for axis, number in enumerate((-4, -2)):
            # bfloat16 rounding (2^-9) after float32 noise between batch shapes.
            torch.testing.assert_close(
                features.states[:, axis].float(), full[number][0], rtol=2**-7, atol=1e-3
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
    monkeypatch.setattr(runner, "load_tested", None)  # it must not even be looked at
    for more in ([], ["--dry-run"]):
        ran = run_command(capsys, *options(teacher, finished), *more)
        assert ran.code == 0
        assert f"is complete: {DOCUMENTS} documents" in ran.out
    assert contents(finished) == before


def test_what_is_asked_by_default_is_the_runs_own_corpus(capsys, teacher, finished):
    arguments = ["extract", "--teacher", teacher, "--run", finished, "--layers", "-2,-4"]
    ran = run_command(capsys, *arguments, "--batch-tokens", 3000)
    assert "nothing to do" in ran.out


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
