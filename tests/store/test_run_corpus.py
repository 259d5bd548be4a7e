"""What lies in a run is the user's: no command writes generated documents over it or beside it."""

import json
import shutil

import pytest

from latentcomp import cli
from latentcomp.common.errors import CorpusError
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.corpus.source import GeneratedCorpus, run_corpus

from . import samples
from .test_corpus_files import DOCUMENT, LINE

SMALL = GeneratedCorpus(documents=2)


@pytest.fixture
def run(tmp_path):
    """A run with a corpus of the user's own."""
    write_corpus(tmp_path / "run" / "corpus", [DOCUMENT], {"source": "jsonl"})
    return tmp_path / "run"


def refused(wanted, run, **named):
    before = samples.contents(run)
    with pytest.raises(CorpusError) as error:
        run_corpus(wanted, run / "corpus", write=True, **named)
    assert samples.contents(run) == before
    return str(error.value)


@pytest.mark.parametrize("lost", ["corpus.json", "questions.parquet"])
def test_a_corpus_that_lost_a_file_is_not_replaced(run, lost):
    (run / "corpus" / lost).unlink()
    message = refused(SMALL, run)
    assert "holds 'chunks.parquet'" in message or "questions.parquet: missing" in message


def test_a_damaged_summary_is_not_replaced(run):
    (run / "corpus" / "corpus.json").write_text("")
    assert "damaged" in refused(SMALL, run)


def test_a_run_whose_corpus_is_gone_but_whose_store_knows_it_gets_no_other(run):
    sha256 = read_corpus(run / "corpus").sha256
    shutil.rmtree(run / "corpus")
    message = refused(SMALL, run, named=sha256)
    assert f"sha256 {sha256[:12]}" in message and "give that one with --corpus" in message
    (run.parent / "mine.jsonl").write_text(json.dumps(LINE))
    put_back = run_corpus(run.parent / "mine.jsonl", run / "corpus", write=True, named=sha256)
    assert put_back.documents == (DOCUMENT,)


def test_a_corpus_without_its_summary_comes_back_when_it_is_given_again(run):
    expected = samples.contents(run)
    (run / "corpus" / "corpus.json").unlink()
    (run.parent / "mine.jsonl").write_text(json.dumps(LINE))
    run_corpus(run.parent / "mine.jsonl", run / "corpus", write=True)
    assert samples.contents(run) == expected


@pytest.mark.parametrize("tables", [0, 1, 2, 3])
def test_a_killed_writer_of_generated_documents_goes_on(tmp_path, tables):
    whole = run_corpus(SMALL, tmp_path / "whole" / "corpus", write=True)
    expected = samples.contents(tmp_path / "whole")
    begun = shutil.copytree(tmp_path / "whole", tmp_path / "begun")
    names = ("corpus.json", "questions.parquet", "chunks.parquet", "documents.parquet")
    for name in names[: 4 - tables]:
        (begun / "corpus" / name).unlink()
    assert run_corpus(SMALL, begun / "corpus", write=True) == whole
    assert samples.contents(begun) == expected


def test_the_corpus_command_does_not_write_over_files_of_other_kinds(tmp_path, capsys):
    mine = tmp_path / "out" / "documents.parquet"
    mine.parent.mkdir()
    mine.write_bytes(b"precious")
    assert cli.run(["corpus", "--documents", "1", "--out", str(mine.parent)]) == 2
    assert "holds 'documents.parquet'" in capsys.readouterr().err
    assert mine.read_bytes() == b"precious"
    elsewhere = str(tmp_path / "elsewhere")
    assert cli.run(["corpus", "--documents", "1", "--out", elsewhere]) == 0
