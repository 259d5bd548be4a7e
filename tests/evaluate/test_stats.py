from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.evaluate.stats import (
    Bootstrap,
    Interval,
    difference,
    largest,
    quotient,
    retained,
    retention,
    share,
)
from latentcomp.evaluate.tally import QUESTIONS, Answers, pooled

from .rows import row, simulated, table

# Four documents, two questions each; counted by hand:
# right answers  compressed 5, ceiling 7, floor 1, shuffled 1, zero 0, of 8 questions.
GOLDEN = """
a 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0 zero=0
a 2 latest compressed=1 ceiling=1 floor=0 shuffled=s zero=0
b 1 fact   compressed=1 ceiling=1 floor=1 shuffled=1 zero=0
b 2 latest compressed=s ceiling=1 floor=0 shuffled=0 zero=s
c 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0 zero=0
c 2 latest compressed=0 ceiling=0 floor=0 shuffled=0 zero=0
d 1 fact   compressed=0 ceiling=1 floor=0 shuffled=0 zero=0
d 2 latest compressed=1 ceiling=1 floor=0 shuffled=0 zero=0
"""


def tally(text=GOLDEN):
    return Answers(table(text)).all()


def intervals(statistic, data, *, seed=3, resamples=2000):
    bootstrap = Bootstrap.draw(len(data.documents), seed=seed, resamples=resamples)
    return bootstrap.interval(statistic, data.columns, data.questions)


@pytest.mark.parametrize(
    ("statistic", "point"),
    [
        (share("compressed", QUESTIONS), 5 / 8),
        (share("ceiling", QUESTIONS), 7 / 8),
        (share("floor", QUESTIONS), 1 / 8),
        (share("zero", QUESTIONS), 0),
        (share("stale:compressed", "stale_questions"), 1 / 4),
        (share("stale:zero", "stale_questions"), 1 / 4),
        (difference("compressed", "shuffled", QUESTIONS), 4 / 8),
        (difference("shuffled", "floor", QUESTIONS), 0),
        (retained("compressed"), (5 - 1) / (7 - 1)),
        (retained("shuffled"), 0),
        (retained("zero"), -1 / 6),
    ],
)
def test_points_of_the_golden_table(statistic, point):
    assert intervals(statistic, tally()).point == pytest.approx(point, abs=1e-12)


def test_every_resample_of_the_golden_table_is_one_of_its_35():
    """Multisets of four documents of four: the draws can take no value outside this list."""
    data = tally()
    bootstrap = Bootstrap.draw(4, seed=1, resamples=500)
    seen = {tuple(weights.astype(int)) for weights in bootstrap.weights}
    assert len(seen) == 35
    assert all(sum(weights) == 4 for weights in seen)
    draws = {
        float(retained("compressed")({k: w @ v for k, v in data.columns.items()}))
        for w in bootstrap.weights
    }
    # d four times: nothing lost or won is (1 - 0) / (2 - 0); a four times: all is kept.
    assert {0.5, 1.0} <= draws
    assert all(0 <= draw <= 1 for draw in draws)


@pytest.mark.parametrize(
    ("arm", "ceiling", "floor", "expected"),
    [
        (6, 10, 2, 0.5),
        (2, 10, 2, 0.0),
        (1, 10, 2, -0.125),
        (11, 10, 2, 1.125),
        (5, 5, 5, nan),
        (5, 4, 6, nan),
        (0, 0, 0, nan),
    ],
)
def test_retention_is_undefined_and_never_0_without_headroom(arm, ceiling, floor, expected):
    found = float(retention(np.asarray(arm), np.asarray(ceiling), np.asarray(floor)))
    assert found == pytest.approx(expected, nan_ok=True)


def test_quotient_is_elementwise_and_warns_of_nothing():
    with np.errstate(all="raise"):
        found = quotient(np.array([1.0, 2.0, 0.0]), np.array([2.0, 0.0, 0.0]))
    assert found[0] == 0.5 and isnan(found[1]) and isnan(found[2])


def test_retention_without_headroom_has_no_interval():
    data = tally("a 1 fact compressed=1 ceiling=0 floor=1\nb 1 fact compressed=1 ceiling=1 floor=1")
    found = intervals(retained("compressed"), data)
    assert isnan(found.point) and isnan(found.low) and isnan(found.high)
    assert not found.defined
    assert found.n == 2 and found.clusters == 2


def test_too_many_undefined_resamples_leave_a_point_without_an_interval():
    """Headroom in one document of five: a third of the resamples miss it."""
    lines = ["a 1 fact compressed=1 ceiling=1 floor=0"]
    lines += [f"{name} 1 fact compressed=0 ceiling=1 floor=1" for name in "bcde"]
    found = intervals(retained("compressed"), tally("\n".join(lines)))
    assert found.point == (1 - 4) / (5 - 4)
    assert isnan(found.low) and isnan(found.high)


def test_one_document_has_no_interval():
    found = intervals(share("compressed", QUESTIONS), tally("a 1 fact compressed=1"))
    assert found.point == 1.0 and isnan(found.low) and found.clusters == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_draws_are_seeded_and_ends_hold_the_point(seed, documents):
    data = Answers(simulated(documents=documents, questions=4, seed=seed)).all()
    first = intervals(share("compressed", QUESTIONS), data, seed=seed, resamples=400)
    again = intervals(share("compressed", QUESTIONS), data, seed=seed, resamples=400)
    assert first == again
    assert 0 <= first.low <= first.high <= 1
    # Percentile ends lie on both sides of the middle of the draws, which is near the point.
    assert first.low - 0.25 <= first.point <= first.high + 0.25


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_retention_is_paired_and_unmoved_by_what_does_not_matter(seed):
    rows = simulated(documents=8, questions=4, seed=seed)
    data = Answers(rows).all()
    base = intervals(retained("compressed"), data, resamples=300)
    shuffled = Answers(rows[::-1]).all()
    assert intervals(retained("compressed"), shuffled, resamples=300) == base
    if base.defined:
        # Retention of the ceiling against itself is 1 in every resample, of the floor 0.
        assert intervals(retained("ceiling"), data, resamples=300).low == 1.0
        assert intervals(retained("floor"), data, resamples=300).high == 0.0


def test_clustering_widens_the_interval_when_documents_differ():
    """Twenty documents, all right or all wrong: 20 independent units and not 200."""
    clustered = [row(f"d{d}", f"q{q}", correct=d % 2 == 0) for d in range(20) for q in range(10)]
    independent = [row(f"d{d}-{q}", "q", correct=d % 2 == 0) for d in range(20) for q in range(10)]
    wide = intervals(share("compressed", QUESTIONS), Answers(clustered).all())
    narrow = intervals(share("compressed", QUESTIONS), Answers(independent).all())
    assert wide.point == narrow.point == 0.5
    assert (wide.high - wide.low) > 2.5 * (narrow.high - narrow.low)
    # Binomial: 0.5 +- 1.96 * sqrt(0.25 / 20) = 0.5 +- 0.219.
    assert wide.high - wide.low == pytest.approx(2 * 0.219, abs=0.07)


def test_coverage_of_the_interval_is_near_its_name():
    """Nominal 95 % over 200 simulated evaluations; a percentile bootstrap of 40 runs a bit low."""
    hits = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        right = draw.binomial(5, 0.6, size=40).astype(float)
        columns = {"arm": right, QUESTIONS: np.full(40, 5.0)}
        found = Bootstrap.draw(40, seed=seed, resamples=400).interval(
            share("arm", QUESTIONS), columns, columns[QUESTIONS]
        )
        hits += found.low <= 0.6 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_an_interval_reads_back_from_json_with_null_for_nan():
    found = Interval(point=nan, low=nan, high=nan, n=0, clusters=0)
    text = found.model_dump_json()
    assert '"point":null' in text
    assert isnan(Interval.model_validate_json(text).point)


def test_largest_is_simultaneous():
    def interval(point):
        return Interval(
            point=point, low=point - 0.1, high=point + 0.1, n=9, clusters=3, confidence=0.975
        )

    found = largest([interval(0.2), interval(0.5)])
    assert (found.point, found.low, found.high) == pytest.approx((0.5, 0.4, 0.6))
    assert found.confidence == pytest.approx(0.95)
    assert not largest([interval(0.2), interval(0.3).model_copy(update={"low": nan})]).defined


def test_tally_refuses_unpaired_arms():
    with pytest.raises(ValueError, match="twice"):
        Answers([row(), row()])
    with pytest.raises(ValueError, match="only one of floor, compressed"):
        Answers([row(), row(question="q1"), row(arm="floor")])


def test_pooling_seeds_weighs_documents_and_not_runs():
    one, two = tally(), tally(GOLDEN.replace("compressed=0", "compressed=1"))
    both = pooled([one, two])
    assert intervals(share("compressed", QUESTIONS), both).point == (5 + 7) / 16
    assert both.documents == one.documents
    with pytest.raises(ValueError, match="pooled"):
        pooled([one, tally("z 1 fact compressed=1 ceiling=1 floor=0 shuffled=0 zero=0")])


def test_by_family_and_bucket_split_the_questions():
    rows = simulated(documents=5, questions=12)
    answers = Answers(rows)
    total = answers.all().questions.sum()
    assert sum(answers.of_families([f]).questions.sum() for f in answers.families) == total
    assert sum(answers.of_bucket(b).questions.sum() for b in answers.buckets) == total
    assert answers.of_families(answers.families).columns["floor"].sum() == sum(
        r.correct for r in rows if r.arm == "floor"
    )
