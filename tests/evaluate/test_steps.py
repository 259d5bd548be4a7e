"""Beginnings of one document are one document: to intervals, to comparisons, to the shuffle."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.beginnings import in_steps
from latentcomp.corpus.files import corpus_sha256, write_corpus
from latentcomp.corpus.generators import generator
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.arms.controls import donor_cycle, donors_of, shuffled
from latentcomp.evaluate.bench import ArmInputs
from latentcomp.evaluate.compare import Comparison
from latentcomp.evaluate.held_out import explored, held_out
from latentcomp.evaluate.past import STEPS
from latentcomp.evaluate.ranking import RankedQuestion, ranking
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, rescore, score_answer, write_answers
from latentcomp.evaluate.strict import strict_measures
from latentcomp.evaluate.table import print_result
from latentcomp.evaluate.utilisation.measure import AnswerCost
from latentcomp.evaluate.utilisation.result import figures_of

from .rows import simulated

COPIES = 4
"""Beginnings of every made-up document: the same answers each time, so no news at all."""


def parts(rows, known=True):
    """Rows of as many beginnings; with the fault planted, nothing says that they are of one."""
    return [
        replace(
            row,
            document_id=f"{row.document_id}@{part}",
            original=row.document_id if known else "",
            read=part,
        )
        for row in rows
        for part in range(1, COPIES + 1)
    ]


def gain(change):
    better = simulated(documents=60, seed=1)
    worse = [
        replace(row, correct=row.correct and row.question_id != "q3", stale=False, prediction="z")
        if row.arm == "compressed"
        else row
        for row in better
    ]
    return Comparison({1: change(better)}, {1: change(worse)}, seed=0).retention_gain().interval


def ranked(known):
    rows = [
        RankedQuestion(
            f"d{n}@{part}",
            "q",
            "compressed",
            ("right", "stale"),
            ("a", "b"),
            (-1.0 - (n % 3 == 0), -1.5),
            (1, 1),
        )  # fmt: skip
        for n in range(60)
        for part in range(1, COPIES + 1)
    ]
    names = [row.document_id for row in rows]
    originals = {name: name.partition("@")[0] for name in names} if known else {}
    made = ranking(rows, names, seed=0, originals=originals)
    assert made is not None
    return made.by_mean.right["compressed"]


def weighed(known):
    rows = [
        AnswerCost(
            f"d{n}@{part}", "q", "fact", arm, cost * (1 + n % 5), 2, 90, 0, f"d{n}" if known else ""
        )  # fmt: skip
        for n in range(60)
        for part in range(1, COPIES + 1)
        for arm, cost in (("ceiling", -0.1), ("floor", -2.0), ("compressed", -0.7))
    ]
    return figures_of(rows, None, seed=0)["families"]["fact"].gain


def overall(known):
    rows = parts(simulated(documents=60), known)
    return EvaluationResult.from_scores(rows, seed=0).overall.retention["compressed"]


INTERVALS = {
    "evaluation": overall,
    "comparison": lambda known: gain(lambda rows: parts(rows, known)),
    "strict": lambda known: strict_measures(parts(simulated(), known), seed=0)["accuracy"],
    "ranking": ranked,
    "utilisation": weighed,
}


@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_count_whole_documents_and_not_beginnings(name):
    right, fault = INTERVALS[name](True), INTERVALS[name](False)
    assert right.point == pytest.approx(fault.point), "the same answers"
    assert (right.clusters, fault.clusters) == (60, 60 * COPIES)
    # Four times as many documents, as the fault has it, are half as wide an interval.
    assert 0.4 < (fault.high - fault.low) / (right.high - right.low) < 0.6


def test_copies_say_exactly_what_the_documents_say():
    rows = simulated(documents=60)
    whole, copied = (EvaluationResult.from_scores(each, seed=0) for each in (rows, parts(rows)))
    assert (whole.documents, whole.beginnings, whole.readings) == (60, 0, 60)
    assert (copied.documents, copied.beginnings, copied.readings) == (60, 240, 240)
    for name in ("compressed", "shuffled"):
        one, two = (each.overall.retention[name] for each in (whole, copied))
        assert (one.low, one.point, one.high) == pytest.approx((two.low, two.point, two.high))
        assert two.n == COPIES * one.n
    assert gain(list).low == pytest.approx(gain(parts).low)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=12), st.integers(0, 500))
def test_no_beginning_borrows_from_its_own_document(sizes, seed):
    originals = [f"d{n}" for n, size in enumerate(sizes) for _ in range(size)]
    donors = donors_of(originals, seed)
    assert all(originals[a] != originals[b] for a, b in enumerate(donors))
    # From one document each, and from beginnings as far from the end.
    lenders = {originals[a]: originals[b] for a, b in enumerate(donors)}
    assert sorted(lenders) == sorted(lenders.values()), "every document lends and borrows"
    last = {name: index for index, name in enumerate(originals)}
    assert all(donors[last[name]] == last[other] for name, other in lenders.items())
    if len(set(sizes)) == 1:
        assert sorted(donors) == list(range(len(originals))), "each lends once"
    if set(sizes) == {1}:
        assert donors == donor_cycle(len(sizes), seed), "as whole documents always did"


def test_a_cycle_through_beginnings_would_borrow_from_the_same_document():
    """The fault that the test above is for."""
    originals = [f"d{n}" for n in range(6) for _ in range(4)]
    own = sum(
        originals[a] == originals[b]
        for seed in range(20)
        for a, b in enumerate(donor_cycle(len(originals), seed))
    )
    assert own > 20


def test_the_shuffled_arm_reads_latents_of_another_original():
    whole = tuple(chunked(f"d{n}") for n in range(5))
    documents = in_steps(whole, 3)
    latents: list[Any] = [one.document_id for one in documents]  # of whom they are is all
    bench: Any = None
    for own, borrowed in zip(
        documents, shuffled(ArmInputs(bench, documents, latents, 7)), strict=True
    ):
        other, _, kept = str(borrowed).partition("@")
        assert other != own.original and int(kept) == len(own.chunks)


def chunked(name, chunks=6):
    questions = (
        Question("old", "fact", "?", "a", evidence=(0,), asked_after=0),
        Question("new", "latest", "?", "b", ("a",), evidence=(3,), asked_after=3),
    )
    return Document(name, tuple(Chunk(i, f"Text {i}.", i) for i in range(chunks)), questions)


def answered(documents, right):
    return [
        score_answer(
            one.document_id,
            question,
            arm,
            question.answer if right(arm, len(one.chunks)) else "a",
            chunks=len(one.chunks),
            original=one.beginning_of or "",
        )
        for one in documents
        for question in one.questions
        for arm in ("ceiling", "floor", "compressed", "shuffled", "zero")
    ]


def test_steps_and_what_was_lost_on_the_way(capsys):
    """A memory that knows all while it is short, and says the old value when it is long."""
    documents = in_steps([chunked(f"d{n}") for n in range(30)], 3)  # after 2, 4 and 6 chunks
    rows = answered(documents, lambda arm, read: arm == "ceiling" or read < 5)
    result = EvaluationResult.from_scores(rows, seed=0, resamples=100)
    past = result.past
    assert past is not None and {k: c.questions for k, c in past.steps.items()} == {
        "1-2": 30, "3-4": 60, "5-6": 60,
    }  # fmt: skip
    shares = {name: cell.accuracy["compressed"].point for name, cell in past.steps.items()}
    assert shares == {"1-2": 1, "3-4": 1, "5-6": 0.5}, "`old` is the value that it still says"
    assert past.steps["5-6"].stale_rate["compressed"].point == 1
    assert past.steps["5-6"].accuracy["ceiling"].point == 1
    # `new` was asked after 4 and 6 chunks, `old` after 2 and 6.
    assert past.drift["compressed"].point == -0.5 and past.drift["ceiling"].point == 0
    assert (past.drift["compressed"].n, past.drift["compressed"].clusters) == (60, 30)
    assert {name: cell.questions for name, cell in past.ages.items()} == {
        "0": 30, "1-2": 60, "3-5": 60,
    }  # fmt: skip
    print_result(result)
    shown = " ".join(capsys.readouterr().out.split())
    assert "30 held-out documents in 90 beginnings, seed 0" in shown
    assert "by chunks read (compressed of ceiling): 1-2: 1.000 of 1.000, 3-4: 1.000" in shown
    assert "60 questions asked more than once, last minus first: compressed -0.500" in shown


def test_two_memories_are_told_apart_by_the_step_at_which_they_differ():
    """One knows all; the other says the old value once six chunks were read."""
    documents = in_steps([chunked(f"d{n}") for n in range(30)], 3)
    short, whole = (
        answered(
            documents,
            lambda arm, read, most=most: arm == "ceiling" or (arm == "compressed" and read < most),
        )  # fmt: skip
        for most in (5, 99)
    )
    cells = Comparison({1: short}, {1: whole}, seed=0, resamples=100).by_past()
    steps = cells["steps"]
    gains = {name: cell.gain.point for name, cell in steps.items()}
    assert gains == {"1-2": pytest.approx(float("nan"), nan_ok=True), "3-4": 0, "5-6": -1}
    assert {name: cell.gain.n for name, cell in steps.items()} == {"1-2": 30, "3-4": 60, "5-6": 60}
    assert (steps["5-6"].retention.point, steps["5-6"].reference.point) == (0, 1)
    assert steps["5-6"].stale_rise.point == 1 and steps["5-6"].gain.clusters == 30
    assert sum(cell.gain.n for cell in cells["ages"].values()) == 150


def test_every_count_of_chunks_is_in_one_step():
    for value in range(1, 80):
        hit = [n for n, low, high in STEPS if low <= value and (high is None or value <= high)]
        assert len(hit) == 1


def test_whole_documents_have_no_steps():
    rows = answered([chunked(f"d{n}") for n in range(4)], lambda arm, read: True)
    past = EvaluationResult.from_scores(rows, seed=0, resamples=50).past
    assert past is not None and past.ages and not past.steps and not past.drift


def test_what_a_row_is_of_is_kept_and_taken_from_the_documents(tmp_path):
    documents = in_steps([chunked(f"d{n}") for n in range(3)], 2)
    rows = answered(documents, lambda arm, read: True)
    write_answers(tmp_path / "answers.parquet", rows)
    assert read_answers(tmp_path / "answers.parquet") == tuple(rows)
    forged = [replace(row, original="", read=None) for row in rows]
    assert rescore(forged, documents) == tuple(rows)


def test_held_out_documents_by_steps_say_so():
    held = held_out(None, "lab", 5, 9, 4, steps=4)
    whole = tuple(generator(4).generate("lab", "test", 5, 9))
    assert held.documents == in_steps(whole, 4) and held.originals == 5
    assert (held.source.steps, held.source.sha256) == (4, corpus_sha256(held.documents))
    assert held_out(None, "lab", 5, 9, 4).source.steps is None


def test_given_documents_are_read_by_steps_or_are_by_steps_already(tmp_path):
    whole = tuple(chunked(f"d{n}") for n in range(3))
    write_corpus(tmp_path / "whole", whole, {})
    write_corpus(tmp_path / "steps", in_steps(whole, 3), {"steps": 3})
    made, read = (
        held_out(tmp_path / name, "", 0, 0, steps=steps)
        for name, steps in (("whole", 3), ("steps", None))
    )
    assert made.documents == read.documents
    assert (made.source.sha256, made.source.steps) == (read.source.sha256, read.source.steps)
    with pytest.raises(CorpusError, match="is a beginning of 'd0' already"):
        held_out(tmp_path / "steps", "", 0, 0, steps=2)
    with pytest.raises(CorpusError, match="give whole ones"):
        explored(tmp_path / "steps", "", "", 2, 0, 4, 1)


@pytest.mark.parametrize(
    ("documents", "meta", "steps", "said"),
    [
        ([chunked("a")], {}, 3, "beginnings of 1 document with questions"),
        ([replace(one, beginning_of=None) for one in in_steps([chunked("a")], 3)], {"steps": 3},
         None, "write it again with `latentcomp corpus --steps`"),
        ([replace(chunked(n), questions=(Question("q", "fact", "?", "a"),)) for n in "ab"], {}, 2,
         "give --generator 4"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_by_steps_is_one_line(tmp_path, documents, meta, steps, said):
    write_corpus(tmp_path / "corpus", documents, meta)
    with pytest.raises(CorpusError, match=said) as caught:
        held_out(tmp_path / "corpus", "", 0, 0, steps=steps)
    assert "\n" not in str(caught.value)
