"""Likelihoods are those of the plain model; who wins, by either measure, with intervals."""

from dataclasses import replace
from io import StringIO
from math import log
from typing import Any

import pytest
import torch
from rich.console import Console

from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import Question
from latentcomp.evaluate import suite
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.arms.text import ceiling, floor
from latentcomp.evaluate.near_miss import candidates
from latentcomp.evaluate.ranking import (
    RankedQuestion,
    rank,
    read_ranking,
    write_ranking,
)
from latentcomp.evaluate.ranking import ranking as figures_of
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.table import print_result
from latentcomp.evaluate.text_arms import run_text_arms
from latentcomp.reasoner.likelihood import encode_choice, log_likelihoods
from latentcomp.reasoner.packing import encode_questions

from ..train import tiny
from .rows import simulated
from .tiny_suite import bench

WRONG: dict[str, Any] = {
    "stale_answers": ("Rome",),
    "mistakes": (("other_entity", "a much longer one"),),
}


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(3)


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((2, 3, 2))]
    return [
        replace(one, questions=tuple(replace(q, **WRONG) for q in one.questions[:3]))
        for one in made
    ]


def alone(lm, text, question, answer):
    """Log-probabilities of an answer's tokens, by one plain pass over the whole sequence."""
    prompt = lm.encode(lm.prompt.head + text) + lm.encode(lm.prompt.ask(question))
    ids = [*prompt, *lm.encode(f" {answer}"), lm.eos_token_id]
    with torch.inference_mode():
        logs = lm.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [float(logs[at - 1, ids[at]]) for at in range(len(prompt), len(ids))]


@pytest.mark.parametrize("row_tokens", [30, 60, 4096])
def test_likelihoods_are_those_of_each_answer_alone(lm, documents, row_tokens):
    """Whatever shares a row or a batch with it, and however long the prefixes beside it are."""
    choices = [
        [encode_choice(lm, q, [value for _, value in candidates(q)]) for q in one.questions]
        for one in documents
    ]
    weighed = log_likelihoods(
        lm, ceiling(lm, documents), choices, row_tokens=row_tokens, batch_size=2
    )
    for document, given in zip(documents, weighed, strict=True):
        for question, likelihoods in zip(document.questions, given, strict=True):
            pairs = zip(candidates(question), likelihoods, strict=True)
            for (_, answer), likelihood in pairs:
                expected = alone(lm, document.text, question.text, answer)
                assert likelihood.tokens == len(expected)
                assert likelihood.total == pytest.approx(sum(expected), rel=1e-4)
                assert likelihood.mean == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_a_choice_has_the_tokens_that_training_has(lm):
    question = Question("q", "fact", "Where?", "Rome")
    (trained,) = encode_questions(lm, [question])
    choice = encode_choice(lm, question, ["Rome", "Oslo"])
    assert (choice.prompt_ids, choice.answers[0]) == (trained.prompt_ids, trained.answer_ids)
    assert len(choice) == len(trained) + len(choice.answers[1])


def test_no_answers_need_no_pass(lm, documents):
    assert log_likelihoods(lm, floor(lm, documents), [[], [], []]) == [[], [], []]


def test_every_question_with_a_wrong_candidate_is_ranked(lm, documents):
    bare = replace(documents[0].questions[0], stale_answers=(), mistakes=(), answer="482")
    given = [replace(documents[0], questions=(bare, *documents[0].questions[1:])), *documents[1:]]
    done: list[int] = []
    ranked = rank(lm, given, floor(lm, given), "floor", batch_size=2, progress=done.append)
    assert done == [2, 1]
    expected = [(d.document_id, q) for d in given for q in d.questions if len(candidates(q)) > 1]
    assert len(expected) == sum(len(d.questions) for d in given) - 1
    for each, (name, question) in zip(ranked, expected, strict=True):
        assert (each.document_id, each.question_id) == (name, question.question_id)
        assert tuple(zip(each.kinds, each.candidates, strict=True)) == candidates(question)
        assert each.totals[0] == pytest.approx(
            sum(alone(lm, "", question.text, question.answer)), rel=1e-4
        )


def row(kinds="rso", totals=(1.0, 2.0, 3.0), tokens=(1, 1, 1), document="d0", arm="compressed"):
    """A ranked question from minus log-likelihoods: the smallest one is the likeliest."""
    names = {"r": "right", "s": "stale", "o": "other_entity"}
    return RankedQuestion(
        document,
        "q",
        arm,
        tuple(names[kind] for kind in kinds),
        tuple(f"{kind}{n}" for n, kind in enumerate(kinds)),
        tuple(-total for total in totals),
        tokens,
    )


@pytest.mark.parametrize(
    ("given", "by_total", "by_mean"),
    [
        (row(), "right", "right"),
        (row(totals=(3.0, 2.0, 4.0)), "stale", "stale"),
        (row(totals=(2.0, 3.0, 9.0), tokens=(1, 2, 9)), "right", "other_entity"),
        (row(totals=(2.0, 2.0, 4.0)), "stale", "stale"),  # a tie is no win of the right one
        (row("ro", (2.0, 2.0), (2, 1)), "other_entity", "right"),
    ],
)
def test_the_likeliest_wins(given, by_total, by_mean):
    assert given.winner(by_mean=False) == by_total
    assert given.winner(by_mean=True) == by_mean


def ranking(rows, documents, **options):
    """The figures of rows that have some."""
    found = figures_of(rows, documents, **options)
    assert found is not None
    return found


def made(documents=40):
    """Right in 3 of 4 documents, stale in the rest; every second question has a stale one."""
    return [
        row(
            "rso" if number % 2 else "roo",
            (1.0, 2.0, 3.0) if number % 4 != 1 else (2.0, 1.0, 3.0),
            document=f"d{number:02d}",
            arm=arm,
        )
        for arm in ("compressed", "floor")
        for number in range(documents)
    ]


def test_shares_are_of_the_questions_that_have_such_a_candidate():
    names = [each.document_id for each in made()]
    found = ranking(made(), names, seed=3, resamples=400)
    assert found.questions == 40
    assert found.chance == pytest.approx(1 / 3)
    assert found.by_mean == found.by_total
    right, stale = (found.by_mean.right["compressed"], found.by_mean.stale["compressed"])
    assert (right.point, right.n) == (0.75, 40)
    assert (stale.point, stale.n) == (0.5, 20)
    assert right.low < 0.7 < 0.8 < right.high and right.clusters == 40
    assert found.by_mean.right.keys() == {"compressed", "floor"}


def test_documents_without_a_ranked_question_are_drawn_too():
    some = [each for each in made() if each.document_id != "d03"]
    whole = [each.document_id for each in made()]
    found = ranking(some, whole, seed=3, resamples=50)
    assert found.by_mean.right["floor"].clusters == 39
    assert figures_of([], whole, seed=3) is None


def test_ranked_candidates_go_to_disk_and_back(tmp_path):
    write_ranking(tmp_path / "ranking.parquet", made())
    assert read_ranking(tmp_path / "ranking.parquet") == tuple(made())
    (tmp_path / "ranking.parquet").write_bytes(b"PAR1")
    with pytest.raises(LatentcompError, match="not a readable file of ranked candidates"):
        read_ranking(tmp_path / "ranking.parquet")


def test_every_arm_is_ranked_on_request_and_answers_stay_the_same(lm, documents):
    plain = suite.run_arms(bench(lm), documents, 0, lambda arm, count: None)
    both = suite.run_arms(bench(lm, rank=True), documents, 0, lambda arm, count: None)
    assert plain.ranked == () and both.rows == plain.rows
    arms = {row.arm for row in plain.rows}
    assert arms >= set(REQUIRED_ARMS) and {each.arm for each in both.ranked} == arms
    by_arm = {a: [e.question_id for e in both.ranked if e.arm == a] for a in arms}
    assert all(names == by_arm["floor"] for names in by_arm.values())
    totals = {a: [e.totals for e in both.ranked if e.arm == a] for a in arms}
    assert totals["compressed"] != totals["shuffled"] != totals["zero"]


def test_the_teacher_alone_is_ranked_on_request(lm, documents):
    plain = run_text_arms(lm, documents)
    rows, none = plain.rows, plain.ranked
    both = run_text_arms(lm, documents, rank_too=True)
    again, ranked = both.rows, both.ranked
    assert none == [] and again == rows
    assert {each.arm for each in ranked} == {row.arm for row in rows} == {"ceiling", "floor"}


def test_a_result_keeps_and_shows_its_ranking(tmp_path):
    found = ranking(made(), [each.document_id for each in made()], seed=3, resamples=50)
    rows = simulated(documents=40)
    result = EvaluationResult.from_scores(rows, seed=3, resamples=50).model_copy(
        update={"ranking": found}
    )
    result.write(tmp_path / "evaluation.json")
    assert EvaluationResult.read(tmp_path / "evaluation.json").ranking == found
    out = StringIO()
    print_result(result, Console(file=out, width=200))
    text = out.getvalue()
    assert "ranking candidates of 40 questions (guessing: 0.333), the right one wins: " in text
    assert "compressed 0.750 [" in text and "by whole likelihood 0.750" in text
    assert "a stale one wins: floor 0.500 [" in text


def test_a_model_that_knows_nothing_gives_every_token_the_same_share():
    lm = tiny.lm(2, seed=9)
    table: torch.Tensor = lm.model.get_input_embeddings().weight  # type: ignore[assignment]
    with torch.no_grad():
        table.zero_()  # tied: every logit is 0
    question = Question("q", "fact", "Who?", "Ann Bel")
    document = tiny.story(0, 2).document
    choice = encode_choice(lm, question, [question.answer])
    (((found,),),) = log_likelihoods(lm, floor(lm, [document]), [[choice]])
    assert found.mean == pytest.approx(-log(len(table)), rel=1e-6)
    assert found.tokens == len(choice.answers[0])
