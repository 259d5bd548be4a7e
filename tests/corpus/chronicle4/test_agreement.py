"""The independent solver reads what the generator wrote, and agrees about everything."""

from dataclasses import replace

import pytest

from latentcomp.corpus.chronicle4.checking import check, compare
from latentcomp.corpus.chronicle4.chronicle import ask_midway, chronicle, chronicles
from latentcomp.corpus.chronicle4.families import FAMILIES
from latentcomp.corpus.chronicle4.presets import PRESETS
from latentcomp.corpus.chronicle4.solving import readings, solve
from latentcomp.corpus.chronicle4.strings import SPLITS


@pytest.mark.parametrize("split", SPLITS)
def test_lab_documents_have_one_answer_to_every_question(lab, split):
    found = check(lab[split][:60])
    assert found.ok, found.disagreements[:3]
    assert set(found.by_family) == set(FAMILIES)


@pytest.mark.parametrize("name", ["long", "qwen3-30b"])
def test_long_documents_have_one_answer_to_every_question(name):
    size = PRESETS[name]
    documents = [chronicle(size, "test", 5, 0, chunks=min(45, size.chunks[1]))]
    found = check(documents, size.days)
    assert found.ok, found.disagreements[:3]


def test_questions_in_mid_document_have_one_answer_then(lab):
    asked = 0
    for each in lab["test"][:8]:
        for chunk in range(1, len(each.document.chunks) - 1):
            read = replace(each.document, chunks=each.document.chunks[: chunk + 1])
            midway = ask_midway(each, chunk)
            asked += len(midway)
            assert not compare(replace(each, document=read, asked=midway), PRESETS["lab"].days)
    assert asked > 300


def test_some_answers_of_mid_document_are_replaced_later(lab):
    """Else a memory would never have to be revised."""
    replaced = 0
    for each in lab["test"][:30]:
        days = [chunk.day for chunk in each.document.chunks]
        whole = readings([chunk.text for chunk in each.document.chunks], days)
        for asked in ask_midway(each, len(days) // 2):
            replaced += solve(whole, asked.question.text).as_written.answers != {
                asked.question.answer
            }
    assert replaced > 60


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_a_thousand_lab_documents_agree(split):
    assert check(chronicles("lab", split, 1000, 77)).ok


@pytest.mark.slow
def test_long_documents_agree():
    assert check(chronicles("long", "test", 20, 77), PRESETS["long"].days).ok
    assert check(chronicles("qwen3-30b", "test", 3, 77), PRESETS["qwen3-30b"].days).ok
