"""Documents of one's own: a run that was refused leaves nothing in the way of the corrected one."""

import json

import pytest

from latentcomp.store.read.reader import FeatureStore

from . import tiny_models
from .command_line import run_command


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return tiny_models.save(
        tiny_models.tiny_qwen3(4, hidden=16), tmp_path_factory.mktemp("t") / "t"
    )


def line(name, text):
    return json.dumps({"document_id": name, "chunks": [{"text": text, "day": "2026-11-28"}]}) + "\n"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (line("long", "word " * 40_000), "reads at most"),
        pytest.param(
            line("a", "Ann."), "document_id 'a' is already used on line 1", marks=pytest.mark.slow
        ),
        pytest.param("{}", "document_id is missing", marks=pytest.mark.slow),
    ],
    ids=["long", "twice", "keys"],
)
def test_a_refused_corpus_does_not_keep_out_the_corrected_one(capsys, teacher, tmp_path, bad, says):
    source, run = tmp_path / "mine.jsonl", tmp_path / "run"
    extract = ["extract", "--teacher", teacher, "--layers", "-2", "--corpus", source, "--run", run]
    source.write_text(line("a", "Ann lives in Rome.") + bad)
    refused = run_command(capsys, *extract)
    assert refused.code == 2 and says in refused.err
    assert not (run / "corpus").exists() and not (run / "store").exists()
    source.write_text(line("a", "Ann lives in Rome.") + line("b", "Ben lives in Oslo."))
    assert run_command(capsys, *extract).code == 0
    assert FeatureStore(run / "store").document_ids == ("a", "b")
    assert FeatureStore(run / "store").days(0) == (46_352,)
