"""A continuation is the text right behind what is left, and nothing asked about is taken away."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.continuation import MOST_SHARE, with_continuation
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.records import CHUNK_SEPARATOR, CONTINUATION, Chunk, Document, Question

from ..extract.command_line import run_command


def document(*texts, questions=()):
    return Document("d", tuple(Chunk(i, text) for i, text in enumerate(texts)), questions)


def test_the_last_chunks_follow():
    cut = with_continuation(document("a" * 40, "b" * 40, "first second", "third"), 16)
    assert cut is not None and [chunk.text[0] for chunk in cut.chunks] == ["a", "b"]
    (question,) = cut.questions
    assert (question.family, question.text) == (CONTINUATION, "")
    assert question.answer == "first second", "the cut word is left out"


@pytest.mark.parametrize(
    ("texts", "characters"),
    [
        (("only one chunk",), 5),
        (("short", "a much longer second chunk than that"), 10),
        (("a" * 40, "b" * 30), 10),
        ((), 5),
    ],
    ids=["one", "less than half stays", "no word fits", "none"],
)
def test_no_cut_no_continuation(texts, characters):
    assert with_continuation(document(*texts), characters) is None


def test_questions_stay_that_rest_on_what_stays():
    asked = tuple(
        Question(name, "fact", "Which?", "x", evidence=evidence)
        for name, evidence in (("kept", (0, 1)), ("gone", (0, 2)), ("unknown", ()))
    )
    cut = with_continuation(document("a" * 40, "b" * 40, "c d e f g h", questions=asked), 8)
    assert cut is not None
    assert [question.question_id for question in cut.questions] == ["kept", f"d/{CONTINUATION}"]


def test_a_bucket_is_a_third_of_what_stays():
    asked = (
        Question("q", "fact", "Which?", "x", evidence=(2,), bucket="middle"),
        Question("unknown", "fact", "Who?", "x", evidence=(0,)),
    )
    texts = ("a" * 40, "b" * 40, "c" * 40, "d e f", "g h i", "j k l")
    cut = with_continuation(document(*texts, questions=asked), 17)
    assert cut is not None and len(cut.chunks) == 3
    assert [question.bucket for question in cut.questions] == ["late", None, None]


@given(st.lists(st.text("ab \t", min_size=1, max_size=30), max_size=8), st.integers(1, 60))
def test_what_is_left_and_its_continuation_are_the_documents_beginning(texts, characters):
    whole = document(*texts)
    cut = with_continuation(whole, characters)
    if cut is None:
        return
    answer = cut.questions[-1].answer
    assert whole.text.startswith(cut.text + CHUNK_SEPARATOR + answer)
    assert 0 < len(answer) <= characters
    assert len(cut.text) + 1 >= MOST_SHARE * (len(whole.text) + 1)


SENTENCES = "One is here. Two is there. Three is where four was. Five came last of all."


def test_import_takes_the_end_of_every_document_off(capsys, tmp_path):
    paragraphs = [
        {"context": SENTENCES, "qas": []},
        {"context": "A single sentence is not cut.", "qas": []},
    ]
    file = tmp_path / "dev.json"
    file.write_text(json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]}))
    line = ("import", "squad", file, "--continuation", 20, "--out", tmp_path / "out")
    shown = run_command(capsys, *line).out
    assert "1 documents, 1 questions" in shown and "1 that cannot be cut" in shown
    assert f"next: `latentcomp utilisation --teacher-only --corpus {tmp_path / 'out'}" in shown
    corpus = read_corpus(tmp_path / "out")
    (document,) = corpus.documents
    assert document.questions[0].answer == "Five came last of"
    assert document.text.endswith("four was.") and corpus.meta["continuation_characters"] == 20
