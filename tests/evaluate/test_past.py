"""Age and overrides: taken from the document, kept with the answers, counted once."""

from dataclasses import replace

import pytest

from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.past import AGES, OVERRIDES
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, rescore, score_answer, write_answers
from latentcomp.evaluate.table import print_result

DOCUMENTS = [
    Document(
        f"d{number}",
        tuple(Chunk(index, f"Chunk {index}.") for index in range(14)),
        (
            Question("new", "latest", "?", "a", ("b", "c"), evidence=(2, 13)),
            Question("late", "latest", "?", "a", ("b",), evidence=(11,)),
            Question("old", "fact", "?", "a", evidence=(0,)),
            Question("placeless", "fact", "?", "a"),
        ),
    )
    for number in range(4)
]


def answered(documents=DOCUMENTS):
    return [
        score_answer(
            document.document_id,
            question,
            arm,
            "a" if arm == "ceiling" or question.question_id != "old" else "x",
            chunks=len(document.chunks),
        )
        for document in documents
        for question in document.questions
        for arm in ("ceiling", "floor", "compressed")
    ]


def test_what_a_row_knows():
    rows = {row.question_id: row for row in answered()}
    assert {name: row.age for name, row in rows.items()} == {
        "new": 0, "late": 2, "old": 13, "placeless": None,
    }  # fmt: skip
    assert {name: row.overrides for name, row in rows.items()} == {
        "new": 2, "late": 1, "old": 0, "placeless": None,
    }  # fmt: skip


def test_every_question_with_evidence_is_in_one_cell():
    past = EvaluationResult.from_scores(answered(), seed=0, resamples=50).past
    assert past is not None
    assert {name: cell.questions for name, cell in past.ages.items()} == {
        "0": 4, "1-2": 4, "11+": 4,
    }  # fmt: skip
    assert {name: cell.questions for name, cell in past.overrides.items()} == {
        "0": 4, "1": 4, "2+": 4,
    }  # fmt: skip
    assert past.ages["11+"].accuracy["compressed"].point == 0
    assert (
        past.ages["0"].retention["compressed"].point != past.ages["11+"].accuracy["ceiling"].point
    )


@pytest.mark.parametrize("bins", [AGES, OVERRIDES])
def test_bins_cover_every_count_once(bins):
    for value in range(40):
        hit = [name for name, low, high in bins if low <= value and (high is None or value <= high)]
        assert len(hit) == 1


def test_it_is_kept_scored_again_and_shown(tmp_path, capsys):
    rows = answered()
    write_answers(tmp_path / "answers.parquet", rows)
    assert read_answers(tmp_path / "answers.parquet") == tuple(rows)
    forgotten = [replace(row, age=None, overrides=None) for row in rows]
    assert rescore(forgotten, DOCUMENTS) == tuple(rows)
    print_result(EvaluationResult.from_scores(rows, seed=0, resamples=50))
    shown = " ".join(capsys.readouterr().out.split())
    assert "by chunks behind the answer (compressed of ceiling): 0: 1.000 of 1.000" in shown
    assert "by values that were replaced" in shown


def test_documents_that_do_not_say_where_have_none():
    bare = [replace(document, questions=document.questions[3:]) for document in DOCUMENTS]
    assert EvaluationResult.from_scores(answered(bare), seed=0, resamples=50).past is None
