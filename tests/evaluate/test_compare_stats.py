from dataclasses import fields, replace
from math import isnan

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.comparable import NEXT_STEP, Comparable, check_comparable
from latentcomp.evaluate.compare import Comparison, ablation_drop
from latentcomp.evaluate.scores import AnswersSource, write_answers

from .rows import row, simulated, table

BETTER = """
a 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0
a 2 latest compressed=1 ceiling=1 floor=0 shuffled=0
b 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0
b 2 latest compressed=0 ceiling=1 floor=0 shuffled=0
"""
WORSE = """
a 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0
a 2 latest compressed=s ceiling=1 floor=0 shuffled=0
b 1 fact   compressed=0 ceiling=1 floor=0 shuffled=0
b 2 latest compressed=0 ceiling=1 floor=0 shuffled=0
"""


def test_differences_counted_by_hand():
    measured = Comparison({1: table(BETTER)}, {1: table(WORSE)}, seed=0).measures()
    assert measured["retention_gain"].interval.point == 3 / 4 - 1 / 4
    assert measured["time_gain"].interval.point == 1 / 2  # of the two `latest` questions
    assert measured["time_gain"].interval.n == 2
    assert measured["stale_rise"].interval.point == -1 / 2
    assert measured["stale_rise"].interval.n == 2
    assert measured["retention"].interval.point == 3 / 4
    assert measured["stale_rate"].interval.point == 0


def test_a_recipe_against_itself_gains_exactly_nothing():
    rows = simulated(documents=12)
    measured = Comparison({1: rows}, {1: rows}, seed=0, resamples=200).retention_gain()
    assert (measured.interval.low, measured.interval.point, measured.interval.high) == (0, 0, 0)


def test_seeds_are_pooled_and_each_stands_alone():
    runs = {1: table(BETTER), 2: table(WORSE)}
    measured = Comparison(runs, {7: table(WORSE), 8: table(WORSE)}, seed=0).retention_gain()
    assert measured.by_seed == (0.5, 0.0)
    assert measured.interval.point == 0.25
    assert measured.interval.clusters == 2  # documents, not documents x seeds


@pytest.mark.parametrize(
    ("runs", "reference", "words"),
    [
        ({}, {}, "training seeds"),
        ({1: [row()]}, {}, "training seeds"),
        ({1: [row()]}, {1: [row(document="other")]}, "is on one side only"),
    ],
)
def test_what_cannot_be_compared_is_one_line(runs, reference, words):
    with pytest.raises(LatentcompError, match=words) as caught:
        Comparison(runs, reference, seed=0)
    assert "\n" not in str(caught.value)


def otherwise(rows, arms, **changes):
    return [replace(one, **changes) if one.arm in arms else one for one in rows]


@pytest.mark.parametrize(
    ("arms", "changes", "words"),
    [
        (("compressed", "ceiling"), {"family": "other"}, "with another answer or family"),
        (("compressed", "ceiling"), {"answer": "z"}, "with another answer or family"),
        (("ceiling",), {"prediction": "z"}, "another answer of the arm ceiling"),
        (("floor",), {"prediction": "z"}, "another answer of the arm floor"),
    ],
)
def test_pairs_are_of_the_same_questions_and_the_same_reasoner(arms, changes, words):
    same, other = table(BETTER), otherwise(table(BETTER), arms, **changes)
    with pytest.raises(LatentcompError, match=words) as caught:
        Comparison({1: same}, {1: other}, seed=0, resamples=50)
    assert "\n" not in str(caught.value)
    with pytest.raises(LatentcompError, match=words):
        Comparison({1: same, 2: other}, {1: same, 2: same}, seed=0, resamples=50)


def test_files_are_compared_where_they_are_of_the_same(tmp_path):
    source = AnswersSource(checkpoint="a", reasoner="r", ratio=4.0, corpus="c")
    mine, theirs = tmp_path / "mine.parquet", tmp_path / "theirs.parquet"
    write_answers(mine, table(BETTER), source)
    write_answers(theirs, table(WORSE), replace(source, checkpoint="b"))
    measured = Comparison.of_files({1: mine}, {1: theirs}, seed=0, resamples=50)
    assert measured.measures()["retention_gain"].interval.point == 0.5
    for change in ({"reasoner": "s"}, {"ratio": 8.0}, {"corpus": "d"}):
        write_answers(theirs, table(WORSE), replace(source, **change))
        with pytest.raises(LatentcompError, match=f"its {next(iter(change))} is"):
            Comparison.of_files({1: mine}, {1: theirs}, seed=0, resamples=50)
    write_answers(theirs, table(WORSE))
    with pytest.raises(LatentcompError, match="does not say what its answers are of"):
        Comparison.of_files({1: mine}, {1: theirs}, seed=0, resamples=50)


def same_reasoner(rows, reference):
    """The same rows with the ceiling and the floor of others."""
    fixed = [one for one in reference if one.arm in ("ceiling", "floor")]
    return [one for one in rows if one.arm not in ("ceiling", "floor")] + fixed


def test_ablations_widen_with_their_number():
    full = {1: simulated(documents=40, compressed=0.8, seed=1)}
    less = simulated(documents=40, compressed=0.7, seed=1)
    same = {1: same_reasoner(less, full[1])}
    one = ablation_drop(full, {"mix": same}, seed=0, resamples=500).interval
    many = ablation_drop(full, {f"part {i}": same for i in range(8)}, seed=0, resamples=500)
    assert many.interval.point == one.point
    assert many.interval.high - many.interval.low > one.high - one.low
    assert many.interval.confidence == pytest.approx(0.95)
    with pytest.raises(ValueError, match="no ablations"):
        ablation_drop(full, {}, seed=0)


def test_a_comparison_without_time_questions_has_no_time_gain():
    rows = simulated(documents=5, families=("fact",))
    found = Comparison({1: rows}, {1: rows}, seed=0, resamples=100).measures()
    assert isnan(found["time_gain"].interval.point)


def test_arms_that_only_one_side_has_are_left_out():
    more = table(BETTER)
    more += [replace(one, arm="summary") for one in more if one.arm == "floor"]
    alone = Comparison({1: table(BETTER)}, {1: table(WORSE)}, seed=0, resamples=50)
    wider = Comparison({1: more}, {1: table(WORSE)}, seed=0, resamples=50)
    assert wider.measures() == alone.measures()
    without = [one for one in table(WORSE) if one.arm != "compressed"]
    with pytest.raises(LatentcompError, match="arm compressed was not measured on every side"):
        Comparison({1: table(BETTER)}, {1: without}, seed=0, resamples=50)


COMPARABLE = Comparable("c", "r", 4.0, "exact", 400, "t", 16, 2000, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corpus": "d"}, "theirs: its corpus is d, and that of mine is c; evaluate both"),
        ({"ratio": 8.0}, "its ratio is 8.0, and that of mine is 4.0; evaluate both at"),
        ({"documents": 20}, "its documents is 20, .* 400; .* --documents"),
        ({"steps": 1}, "its steps is 1, .* 2000; train both"),
        ({"seconds": 9.0}, "its seconds is 9.0, and that of mine is None; train both"),
        ({"scorer": "f1"}, "its scorer is f1"),
    ],
)
def test_what_must_be_equal_is_refused_by_its_name(change, words):
    check_comparable({"mine": COMPARABLE, "theirs": replace(COMPARABLE)})
    with pytest.raises(LatentcompError, match=words) as caught:
        check_comparable({"mine": COMPARABLE, "theirs": replace(COMPARABLE, **change)})
    assert "\n" not in str(caught.value)


def test_every_field_has_a_next_step():
    assert NEXT_STEP.keys() == {field.name for field in fields(Comparable)}
