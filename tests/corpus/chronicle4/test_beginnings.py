"""Beginnings of documents are asked what their text settles, and nothing that changes later."""

import pytest

from latentcomp.common.buckets import bucket_of
from latentcomp.common.errors import CorpusError
from latentcomp.corpus.beginnings import beginnings, in_steps
from latentcomp.corpus.chronicle4.presets import preset
from latentcomp.corpus.chronicle4.solving import readings, solve
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.generators import generator
from latentcomp.corpus.records import Chunk, Document, Question

from ...extract.command_line import run_command


def question(name, after, evidence=()):
    return Question(name, "fact", "Which?", "x", evidence=evidence, asked_after=after)


def test_a_question_is_asked_from_its_chunk_on():
    asked = (question("a", 0, (0,)), question("b", 2, (1,)), question("c", None), question("d", 1))
    whole = Document("d", tuple(Chunk(i, f"text {i}") for i in range(4)), asked, "a summary")
    made = {one.document_id: one for one in beginnings(whole, 9)}
    names = {name: "".join(q.question_id for q in one.questions) for name, one in made.items()}
    assert names == {"d@1": "a", "d@2": "ad", "d@3": "abd", "d@4": "abd"}
    assert [len(one.chunks) for one in made.values()] == [1, 2, 3, 4]
    assert [one.summary for one in made.values()] == [None, None, None, "a summary"]
    assert {one.original for one in made.values()} == {"d"} and whole.original == "d"


def test_a_third_is_that_of_what_was_read():
    """Else "late" would be what the whole document says late, and a beginning has no such."""
    whole = Document("d", tuple(Chunk(i, "t") for i in range(9)), (question("a", 1, (1,)),))
    thirds = {len(one.chunks): one.questions[0].bucket for one in beginnings(whole, 9)}
    assert thirds == {kept: bucket_of(1, kept) for kept in range(2, 10)}
    assert [thirds[kept] for kept in (2, 3, 4, 9)] == ["middle", "middle", "early", "early"]


def test_a_beginning_has_no_beginnings():
    whole = Document("d", tuple(Chunk(i, "t") for i in range(4)), (question("a", 0),))
    with pytest.raises(CorpusError, match="'d@2' is a beginning of 'd' already"):
        in_steps(beginnings(whole, 2), 2)


@pytest.mark.parametrize(("count", "lengths"), [(1, [7]), (2, [3, 7]), (3, [2, 4, 7]), (7, None)])
def test_steps_are_equal_and_the_last_one_is_whole(count, lengths):
    whole = Document("d", tuple(Chunk(i, "t") for i in range(7)), (question("a", 0),))
    made = [len(one.chunks) for one in in_steps([whole], count)]
    assert made == (lengths or [1, 2, 3, 4, 5, 6, 7])


def test_every_answer_is_that_of_the_beginning_alone():
    """By the independent solver, which reads the shorter text and nothing else."""
    days, answered = preset("lab").days, 0
    for document in generator(4).generate("lab", "test", 8, 41):
        for part in beginnings(document, 4):
            read = readings([c.text for c in part.chunks], [c.day or 0 for c in part.chunks], *days)
            for each in part.questions:
                solved = solve(read, each.text).as_written
                assert solved.answers == {each.answer}
                # No value that only a later chunk replaces counts as stale yet.
                assert set(solved.stale) == {*each.stale_answers}
                answered += 1
    assert answered > 200


def test_the_command_writes_them_and_refuses_a_world_without(capsys, tmp_path):
    line = ("corpus", "--documents", 3, "--seed", 5, "--split", "test", "--steps", 3)
    ran = run_command(capsys, *line, "--generator", 4, "--out", tmp_path / "steps")
    assert ran.code == 0, ran.err
    corpus = read_corpus(tmp_path / "steps")
    assert 3 < len(corpus.documents) <= 9 and corpus.meta["steps"] == 3
    assert len({one.original for one in corpus.documents}) == 3
    assert run_command(capsys, *line, "--generator", 4, "--out", tmp_path / "steps").code == 0
    error = run_command(capsys, *line, "--generator", 3, "--out", tmp_path / "old").error
    assert "give --generator 4" in error and not (tmp_path / "old").exists()
    error = run_command(
        capsys, *line, "--generator", 4, "--check", "--out", tmp_path / "other"
    ).error
    assert "leave out --steps, or --check" in error
