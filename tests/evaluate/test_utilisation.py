"""CE utilisation: costs are those of the plain model, figures those of a hand calculation."""

from dataclasses import replace
from io import StringIO
from math import isnan

import pytest
import torch
from rich.console import Console

from latentcomp.corpus.continuation import with_continuation
from latentcomp.corpus.records import CHUNK_SEPARATOR, CONTINUATION
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.utilisation.by_ratio import print_by_ratio
from latentcomp.evaluate.utilisation.measure import (
    AnswerCost,
    measure_costs,
    measure_text_costs,
)
from latentcomp.evaluate.utilisation.pooled import pool
from latentcomp.evaluate.utilisation.result import (
    LEAST_GAIN,
    UtilisationResult,
    figures_of,
)
from latentcomp.evaluate.utilisation.table import print_utilisation
from latentcomp.reasoner.likelihood import encode_choice
from latentcomp.reasoner.packing import encode_questions

from ..train import tiny
from .tiny_suite import bench


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((3, 4, 3))]
    cut = [with_continuation(one, 30) for one in made]
    return [replace(one, questions=one.questions[-3:]) for one in cut if one is not None]


def silent(arm, documents):
    pass


def plain_cost(lm, text, question):
    """The same by one pass of the plain model over the whole sequence."""
    if question.family == CONTINUATION:
        between, answer = lm.encode(CHUNK_SEPARATOR), lm.encode(question.answer)
    else:
        between = lm.encode(lm.prompt.ask(question.text))
        answer = [*lm.encode(f" {question.answer}"), lm.eos_token_id]
    before = [*lm.encode(lm.prompt.head + text), *between]
    ids = [*before, *answer]
    with torch.inference_mode():
        logs = lm.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logs[at - 1, ids[at]]) for at in range(len(before), len(ids))), len(answer)


def test_costs_are_those_of_the_plain_model_for_questions_and_continuations(lm, documents):
    costs = measure_text_costs(lm, documents, 2, silent)
    assert costs.sizes is None
    by_id = {d.document_id: d for d in documents}
    for row in costs.rows:
        document = by_id[row.document_id]
        (question,) = (q for q in document.questions if q.question_id == row.question_id)
        text = document.text if row.arm == "ceiling" else ""
        expected, tokens = plain_cost(lm, text, question)
        assert row.log_likelihood == pytest.approx(expected, rel=1e-4)
        assert row.tokens == tokens
        assert row.document_tokens == len(lm.encode(document.text))
    assert {row.arm for row in costs.rows} == {"ceiling", "floor"}
    assert {row.family for row in costs.rows} > {CONTINUATION}


def test_every_arm_weighs_the_same_answers_a_searching_one_too(lm, documents):
    made = replace(bench(lm), arms=("bm25", "truncation"))
    done = []
    costs = measure_costs(made, documents, 3, lambda arm, count: done.append((arm, count)))
    arms = [*REQUIRED_ARMS, "bm25", "truncation", "gaussian"]
    answers = {
        arm: [(r.document_id, r.question_id, r.tokens) for r in costs.rows if r.arm == arm]
        for arm in arms
    }
    assert all(answers[arm] == answers["ceiling"] for arm in arms) and answers["ceiling"]
    assert costs.sizes is not None and costs.sizes.vectors["compressed"] == costs.sizes.latents
    assert dict(done)["planned"] == (1 + len(arms)) * len(documents)
    assert sum(count for arm, count in done if arm != "planned") == dict(done)["planned"]


def test_what_knows_of_no_compressor_is_weighed_once(lm, documents):
    made = bench(lm)
    first = measure_costs(made, documents, 3, silent)
    marked = [
        replace(row, log_likelihood=row.log_likelihood - 1)
        for row in first.rows
        if row.arm in ("ceiling", "floor")
    ]
    done = []
    second = measure_costs(made, documents, 3, lambda arm, count: done.append((arm, count)), marked)
    assert sum(count for arm, count in done if arm != "planned") == dict(done)["planned"]
    assert not {"ceiling", "floor"} & {arm for arm, _ in done}
    assert [row for row in second.rows if row.arm in ("ceiling", "floor")] == marked
    rest = [[row for row in one.rows if row.arm not in ("ceiling", "floor")]
            for one in (first, second)]  # fmt: skip
    assert rest[0] == rest[1] and first.sizes == second.sizes


def test_training_and_measure_have_the_same_tokens_of_a_continuation(lm, documents):
    question = documents[0].questions[-1]
    assert question.is_continuation
    (trained,) = encode_questions(lm, [question])
    choice = encode_choice(lm, question, [question.answer])
    assert (choice.prompt_ids, choice.answers[0]) == (trained.prompt_ids, trained.answer_ids)
    assert trained.prompt_ids == tuple(lm.encode(CHUNK_SEPARATOR))
    assert trained.answer_ids == tuple(lm.encode(question.answer)), "it has no end"


def rows_of(costs, family="fact", tokens=2, documents=4, length=100, age=None):
    """The same costs, in nats, for one answer about each of some documents."""
    return [
        AnswerCost(f"d{i}", f"{family}-{length}", family, arm, -nats * tokens, tokens, length, age)
        for i in range(documents)
        for arm, nats in costs.items()
    ]


NATS = {"ceiling": 1.0, "floor": 5.0, "compressed": 2.0, "shuffled": 5.5, "zero": 5.0}


def test_utilisation_is_the_share_of_the_documents_worth():
    figures = figures_of(rows_of(NATS), None, seed=0, resamples=50)
    cell = figures["overall"]
    kept = {arm: interval.point for arm, interval in cell.utilisation.items()}
    assert kept == pytest.approx({"compressed": 0.75, "shuffled": -0.125, "zero": 0.0})
    assert {arm: i.point for arm, i in cell.nats.items()} == pytest.approx(NATS)
    assert (cell.gain.point, cell.tokens, cell.questions) == (pytest.approx(4.0), 8, 4)
    assert figures["shuffled_at_floor"] is True and figures["left_out"] == ()


def test_tokens_weigh_alike_and_documents_are_resampled():
    long = {**NATS, "compressed": 5.0}
    rows = rows_of(NATS, tokens=1) + rows_of(long, "relation", tokens=3)
    cell = figures_of(rows, None, seed=0, resamples=50)["overall"]
    assert cell.utilisation["compressed"].point == pytest.approx((3 * 1 + 0 * 3) / (4 * 4))
    assert cell.utilisation["compressed"].clusters == 4


@pytest.mark.parametrize(
    ("gain", "counts"), [(LEAST_GAIN * 0.9, False), (LEAST_GAIN * 1.1, True), (-1.0, False)]
)
def test_a_family_counts_where_the_whole_document_clearly_helps(gain, counts):
    weak = {"ceiling": 5 - gain, "floor": 5.0, "compressed": 0.0, "shuffled": 5.0}
    strong = {"ceiling": 1.0, "floor": 5.0, "compressed": 3.0, "shuffled": 5.0}
    rows = rows_of(weak, "weak") + rows_of(strong, "strong")
    figures = figures_of(rows, None, seed=0, resamples=50)
    assert figures["left_out"] == (() if counts else ("weak",))
    expected = (2 + 5) / (4 + gain) if counts else 0.5
    assert figures["overall"].utilisation["compressed"].point == pytest.approx(expected)
    assert figures["families"]["weak"].questions == 4, "it is shown all the same"


def test_one_document_counts_nothing():
    figures = figures_of(rows_of(NATS, documents=1), None, seed=0, resamples=50)
    assert figures["overall"] is None and figures["shuffled_at_floor"] is None


@pytest.mark.parametrize(
    ("shuffled", "held"),
    [((5.0, 5.0), True), ((4.95, 4.95), True), ((4.0, 4.5), False), ((3.0, 6.5), None)],
    ids=["at the floor", "within the margin", "help", "too few documents to tell"],
)
def test_another_documents_latents_have_to_be_worth_nothing(shuffled, held):
    rows = [
        replace(row, document_id=f"{row.document_id}/{number}")
        for number, nats in enumerate(shuffled)
        for row in rows_of({**NATS, "shuffled": nats})
    ]
    figures = figures_of(rows, None, seed=0, resamples=200)
    assert figures["shuffled_at_floor"] is held
    expected = (sum(shuffled) / 2 - 2.0) / 4
    assert figures["overall"].above_shuffled.point == pytest.approx(expected)


def test_by_length_and_by_age():
    short = rows_of(NATS, length=255, age=0)
    long = rows_of({**NATS, "compressed": 4.0}, length=256, age=12)
    figures = figures_of(short + long, None, seed=0, resamples=50)
    kept = {n: c.utilisation["compressed"].point for n, c in figures["lengths"].items()}
    assert kept == pytest.approx({"0-255": 0.75, "256-511": 0.25})
    ages = {n: c.utilisation["compressed"].point for n, c in figures["ages"].items()}
    assert ages == pytest.approx({"0": 0.75, "11+": 0.25})


def test_arms_that_weighed_other_answers_are_refused():
    rows = rows_of(NATS)
    with pytest.raises(ValueError, match="did not weigh the same"):
        figures_of(rows[:-1], None, seed=0, resamples=5)
    with pytest.raises(ValueError, match="did not weigh the same"):
        figures_of([replace(rows[0], tokens=9), *rows[1:]], None, seed=0, resamples=5)


def test_the_record_comes_back_and_its_table_says_what_counts(tmp_path):
    weak = {**NATS, "ceiling": 4.99}
    rows = rows_of(NATS, "fact") + rows_of(weak, CONTINUATION)
    result = UtilisationResult(name="trial", **figures_of(rows, None, seed=0, resamples=50))
    result.write(tmp_path / "u.json")
    assert isnan(UtilisationResult.read(tmp_path / "u.json").ratio)
    assert UtilisationResult.read(tmp_path / "u.json").families == result.families
    out = StringIO()
    print_utilisation(result, Console(file=out, width=120))
    assert f"({CONTINUATION})" in out.getvalue() and "left out of all" in out.getvalue()
    assert "0.750 [0.750, 0.750]" in out.getvalue() and "self-check holds" in out.getvalue()
    none = UtilisationResult(name="t", **figures_of(rows_of(weak), None, seed=0, resamples=50))
    out = StringIO()
    print_utilisation(none, Console(file=out, width=120))
    assert "no family counts" in out.getvalue()


def test_trainings_are_pooled_and_their_spread_widens_the_interval():
    by_seed = {
        seed: rows_of({**NATS, "compressed": nats}, documents=30)
        for seed, nats in ((0, 1.8), (1, 2.0), (2, 2.2))
    }
    pooled = pool(by_seed, seed=0, resamples=400)
    assert pooled.by_seed["compressed"] == pytest.approx((0.8, 0.75, 0.7))
    latents, shuffled = pooled.utilisation["compressed"], pooled.utilisation["shuffled"]
    assert latents.point == pytest.approx(0.75)
    assert latents.low < 0.70 < 0.80 < latents.high, "t of 2 degrees: three seeds say little"
    assert shuffled.low == shuffled.high == pytest.approx(-0.125), "it is the same in every one"
    assert (pooled.questions, latents.n, latents.clusters) == (30, 30, 30)
    assert pooled.nats["compressed"] == pytest.approx(2.0)


def test_trainings_on_other_answers_are_not_pooled():
    with pytest.raises(ValueError, match="cannot be pooled"):
        pool({0: rows_of(NATS), 1: rows_of(NATS, documents=3)}, seed=0)
    with pytest.raises(ValueError, match="cannot be pooled"):
        pool({}, seed=0)
    with pytest.raises(ValueError, match="no family counts"):
        pool({0: rows_of({**NATS, "ceiling": 4.99})}, seed=0)


def by_ratio(*ratios, **nats):
    """What the table of several ratios prints, and the results."""
    figures = figures_of(rows_of(NATS | nats), None, seed=0, resamples=50)
    plain = UtilisationResult(name="one", **figures)
    notes = ("quantised weights",)
    made = [plain.model_copy(update={"ratio": each, "notes": notes}) for each in ratios]
    text = StringIO()
    print_by_ratio(made, Console(file=text, width=80, markup=False, highlight=False))
    return text.getvalue()


def test_several_ratios_are_one_table_with_intervals():
    printed = by_ratio(4.0, 8.0)
    (row,) = [line for line in printed.splitlines() if "its latents" in line]
    assert row.count("0.75 [0.75, 0.75]") == 2
    assert "4x" in printed and "8x" in printed
    assert "the full document" not in printed, "it is 1 by definition"
    assert "costs 1.00 nats behind the whole document" in printed and "5.00 without" in printed
    assert printed.count("self-check holds") == 2 and printed.count("quantised weights") == 1


def test_a_document_that_is_worth_little_is_said_to_be():
    assert "left out by the rule" not in by_ratio(4.0)
    assert "left out by the rule" in by_ratio(4.0, ceiling=4.95)
