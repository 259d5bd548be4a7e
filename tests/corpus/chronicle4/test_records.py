"""What `generate` gives: the shipped text, the dated twin and the facts of every question."""

from dataclasses import asdict

from latentcomp.corpus.chronicle4.chronicle import chronicles, generate
from latentcomp.corpus.chronicle4.records import recorded
from latentcomp.corpus.records import ADDED, FORMS, Question


def test_generate_gives_the_documents_of_chronicles_as_records():
    made = list(generate("lab", "test", 4, 9))
    assert made == [recorded(each) for each in chronicles("lab", "test", 4, 9)]


def test_both_texts_are_those_of_the_chronicle(every):
    for each in every:
        document = recorded(each)
        assert document.text == each.document.text
        assert document.dated_text == each.dated_document().text
        for chunk in document.chunks:
            assert chunk.dated_text != chunk.text, "said once"


def test_no_fact_about_a_question_is_lost(every):
    names = ADDED[Question].keys() - {"spans", "other_answers"}  # it asks for one answer alone
    for each in every[:60]:
        for question, asked in zip(recorded(each).questions, each.asked, strict=True):
            assert {name: getattr(question, name) for name in names} == {
                name: value for name, value in asdict(asked).items() if name in names
            }
            assert (question.text, question.answer) == (asked.question.text, asked.question.answer)
            assert question.form in FORMS


def test_spans_point_into_the_text_that_ships(every):
    for each in every[:60]:
        document = recorded(each)
        for question in document.questions:
            for chunk, start, end in question.spans:
                said = document.chunks[chunk].text[start:end]
                assert said.endswith(".") and said[0].isupper()
            assert {chunk for chunk, _, _ in question.spans} == set(question.evidence)


def test_the_held_out_family_is_not_among_the_training_questions(every):
    families = {q.family for each in every for q in recorded(each).questions}
    trained = {q.family for each in every for q in recorded(each).training_questions}
    assert families - trained == {"holder"}
