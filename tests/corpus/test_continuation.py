"""A continuation is the text right behind what is left, and nothing asked about is taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.continuation import MOST_SHARE, with_continuation
from latentcomp.corpus.records import CHUNK_SEPARATOR, CONTINUATION, Chunk, Document, Question


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
