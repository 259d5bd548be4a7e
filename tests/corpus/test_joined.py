"""Several corpora as one: what is kept, and what is refused in a line."""

from pathlib import Path

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.corpus.joined import MIXED, joined
from latentcomp.corpus.records import Chunk, Document, Question

from ..extract.command_line import run_command


def _write(folder: Path, text: str, split: str | None = "train") -> Path:
    """A corpus of one document, whose ids are the same whatever its text."""
    question = Question("1/q", "fact", "What is it?", "red")
    write_corpus(folder, [Document("1", (Chunk(0, text),), (question,))], {"split": split})
    return folder


def test_parts_keep_their_order_and_get_ids_of_their_own(tmp_path: Path) -> None:
    parts = {name: _write(tmp_path / name, f"It is {name}.") for name in ("b", "a")}
    corpus = joined(parts)
    assert [each.document_id for each in corpus.documents] == ["b/1", "a/1"]
    assert [each.text for each in corpus.documents] == ["It is b.", "It is a."]
    assert corpus.documents[0].questions[0].question_id == "b/1/q"
    assert corpus.meta["parts"]["a"]["sha256"] == read_corpus(parts["a"]).sha256


def test_beginnings_of_two_documents_of_one_name_stay_of_two(tmp_path: Path) -> None:
    """Else intervals would take them for one document."""
    for name in ("a", "b"):
        parts = [Document(f"1@{n}", (Chunk(0, f"{name}{n}"),), beginning_of="1") for n in (1, 2)]
        write_corpus(tmp_path / name, parts, {})
    corpus = joined({name: tmp_path / name for name in ("a", "b")})
    assert [each.original for each in corpus.documents] == ["a/1", "a/1", "b/1", "b/1"]


@pytest.mark.parametrize(
    ("splits", "expected"),
    [(("train", "train"), "train"), (("train", "test"), MIXED), ((None, None), MIXED)],
)
def test_a_split_is_stated_only_where_all_parts_are_of_it(
    tmp_path: Path, splits: tuple[str | None, str | None], expected: str
) -> None:
    parts = {
        name: _write(tmp_path / name, f"It is {name}.", split)
        for name, split in zip("ab", splits, strict=True)
    }
    assert joined(parts).meta["split"] == expected


def test_the_same_documents_twice_are_refused(tmp_path: Path) -> None:
    parts = {name: _write(tmp_path / name, "It is red.") for name in ("a", "b")}
    with pytest.raises(CorpusError, match="a and b hold the same documents"):
        joined(parts)


def test_command_writes_a_corpus_and_refuses_what_it_cannot_join(capsys, tmp_path: Path) -> None:
    a, b = (str(_write(tmp_path / name, f"It is {name}.")) for name in "ab")
    out = tmp_path / "mixture"
    done = run_command(capsys, "join", a, b, "--out", str(out))
    assert done.code == 0, done.err
    assert len(read_corpus(out).documents) == 2
    for arguments, reason in {
        (a,): "give two corpora or more",
        (a, a): "two of the corpora are called a",
        (a, b): "there is something already",
        (a, str(tmp_path / "missing")): "missing",
    }.items():
        where = out if reason.startswith("there is") else tmp_path / "other"
        done = run_command(capsys, "join", *arguments, "--out", str(where))
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert reason in done.err
