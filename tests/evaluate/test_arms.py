"""The table of arms, and what each arm makes of the documents."""

from dataclasses import replace

import pytest
import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate import suite
from latentcomp.evaluate.arms.table import (
    ARMS,
    REFERENCE_ARMS,
    REQUIRED_ARMS,
    Arm,
    in_order,
    select_arms,
)
from latentcomp.evaluate.arms.text import embed_text
from latentcomp.evaluate.bench import ArmInputs
from latentcomp.reasoner.generate import Prefix

from ..train import tiny
from .tiny_suite import bench


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((2, 3))]
    return [replace(document, questions=document.questions[:2]) for document in made]


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


def test_the_table_names_what_verdicts_rest_on():
    assert REQUIRED_ARMS == ("ceiling", "floor", "compressed", "shuffled", "zero")
    assert REFERENCE_ARMS == ("ceiling", "floor")
    assert all(name == arm.name for name, arm in ARMS.items())
    assert not any(arm.required and arm.optional for arm in ARMS.values())


def test_arms_come_in_the_order_of_the_table_and_unknown_ones_last():
    assert in_order(reversed(ARMS)) == tuple(ARMS)
    assert in_order(["rag", "zero", "floor", "zero", "pooling"]) == (
        "floor", "zero", "pooling", "rag",
    )  # fmt: skip


def test_optional_arms_run_on_request():
    default = [arm.name for arm in select_arms(())]
    assert set(REQUIRED_ARMS) < set(default) and "truncation" not in default
    assert [arm.name for arm in select_arms(["truncation"])] == [*default, "truncation"]
    with pytest.raises(
        LatentcompError, match=r"no arm 'rag'; the arms are ceiling, floor"
    ) as error:
        select_arms(["zero", "rag"])
    assert "\n" not in str(error.value)


def dated(document):
    """The same document with a text for the ceiling that ends every chunk with its day."""
    chunks = tuple(
        replace(chunk, dated_text=f"{chunk.text} It is day {chunk.day}.")
        for chunk in document.chunks
    )
    return replace(document, chunks=chunks)


def test_the_text_as_it_ships_is_read_unasked_where_there_is_another_one(documents):
    default = [arm.name for arm in select_arms((), documents)]
    assert "undated" not in default
    called_for = {arm.name for arm in select_arms((), [documents[1], dated(documents[0])])}
    assert called_for == {*default, "undated"}
    assert "undated" in [arm.name for arm in select_arms(["undated"], documents)]
    assert "undated" not in REQUIRED_ARMS + REFERENCE_ARMS


def test_the_ceiling_and_the_texts_in_its_place_have_days_and_undated_has_not(lm, documents):
    given = [dated(document) for document in documents]
    made = inputs(lm, given, (2000, 2000))
    for document, twin, *read in zip(
        documents,
        given,
        *(ARMS[name].make(made) for name in ("undated", "ceiling", "truncation")),
        strict=True,
    ):
        shipped, *whole = (prefix.x_PD for prefix in read)
        assert torch.equal(shipped, embed_text(lm, document.text))
        for one in whole:
            assert torch.equal(one, embed_text(lm, twin.dated_text))
    before = [prefix.x_PD for prefix in ARMS["floor"].make(inputs(lm, documents, (1, 1)))]
    after = [prefix.x_PD for prefix in ARMS["floor"].make(made)]
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_undated_answers_the_same_questions_from_fewer_tokens(lm, documents):
    given = [dated(document) for document in documents]
    outcome = suite.run_arms(bench(lm), given, 0, lambda arm, count: None)
    arms = {row.arm for row in outcome.rows}
    assert arms == {arm.name for arm in select_arms((), given)}
    assert outcome.sizes.vectors["undated"] < outcome.sizes.vectors["ceiling"]
    assert outcome.sizes.text_bytes == sum(len(document.text) for document in documents)


def inputs(lm, documents, latents):
    prefixes = [Prefix.counted(embed_text(lm, "x " * count)) for count in latents]
    return ArmInputs(bench(lm), documents, prefixes, seed=0)


def test_truncation_is_the_beginning_of_the_document_as_long_as_its_latents(lm, documents):
    given = inputs(lm, documents, (4, 7))
    made = ARMS["truncation"].make(given)
    for document, x_KR, prefix in zip(documents, given.vectors, made, strict=True):
        whole = embed_text(lm, document.text)
        assert len(prefix.x_PD) == given.head + len(x_KR) < len(whole)
        assert torch.equal(prefix.x_PD, whole[: given.head + len(x_KR)])
        assert prefix.after == len(prefix.x_PD)


def test_truncation_of_a_short_document_is_the_whole_of_it(lm, documents):
    (prefix, _) = ARMS["truncation"].make(inputs(lm, documents, (2000, 1)))
    assert torch.equal(prefix.x_PD, embed_text(lm, documents[0].text))


def test_a_requested_arm_answers_the_same_questions_from_as_many_vectors(lm, documents):
    made = bench(lm, arms=("truncation",))
    outcome = suite.run_arms(made, documents, 0, lambda arm, count: None)
    rows = [row for row in outcome.rows if row.arm == "truncation"]
    questions = [(d.document_id, q.question_id) for d in documents for q in d.questions]
    assert [(row.document_id, row.question_id) for row in rows] == questions
    assert outcome.sizes.vectors["truncation"] == outcome.sizes.vectors["compressed"]


def test_a_new_arm_is_a_row(lm, documents, monkeypatch):
    """Last words: measured, counted and shown by nothing but its row."""

    def last_token(inputs):
        return [Prefix.counted(embed_text(lm, d.text)[-1:]) for d in inputs.documents]

    monkeypatch.setitem(ARMS, "last", Arm("last", "its last token", last_token, optional=True))
    made = bench(lm, arms=("last",))
    outcome = suite.run_arms(made, documents, 0, lambda arm, count: None)
    assert outcome.sizes.vectors["last"] == len(documents)
    assert in_order(row.arm for row in outcome.rows)[-1] == "last"
