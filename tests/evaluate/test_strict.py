"""Strict measures: each moves with the fault that it is there for, and not with its sibling."""

from math import isnan

import pytest

from latentcomp.evaluate.strict import _MEASURES, LEAST_QUESTIONS, strict_measures
from latentcomp.experiment.siblings import NEEDED_ARMS

from . import rows

FAMILIES = ("fact", "order", "changed")
ARMS = ("ceiling", "floor", "compressed", "shuffled", "zero")


def made(documents=40, questions=5, **shares):
    """Rows of three families; a share is a number, or one for every family."""
    usual = {"ceiling": 1.0, "floor": 0.2, "compressed": 0.8, "shuffled": 0.2, "zero": 0.0}
    given = usual | shares
    return [
        rows.row(
            f"d{number}",
            f"{family}/{question}",
            arm,
            family=family,
            bucket="late" if question % 2 else "early",
            correct=_right(given[arm], family, number * questions + question),
        )
        for number in range(documents)
        for family in FAMILIES
        for question in range(questions)
        for arm in given
    ]


def _right(share, family, index):
    if isinstance(share, dict):
        share = share[family]
    return (index * 7) % 20 < round(20 * share)


def points(answers):
    return {
        name: one.point for name, one in strict_measures(answers, seed=0, resamples=200).items()
    }


def test_by_hand():
    taken = points(made())
    assert taken["accuracy"] == pytest.approx(0.8)
    assert taken["retention_above_controls"] == pytest.approx(0.75)
    assert taken["lowest_family_retention"] == pytest.approx(0.75)
    assert taken["largest_shuffled_effect"] == 0
    assert "above_stale" not in taken


def test_latents_of_anything_count_as_a_floor():
    taken = points(made(zero=0.6))
    assert taken["retention_above_controls"] == pytest.approx(0.5)
    assert taken["lowest_family_retention"] == pytest.approx(0.75)


def test_a_dead_family_cannot_hide():
    taken = points(made(compressed={"fact": 0.2, "order": 1.0, "changed": 1.0}))
    assert taken["retention_above_controls"] > 0.6
    assert taken["lowest_family_retention"] == pytest.approx(0)


def test_effects_of_shuffled_latents_do_not_cancel():
    """As measured on the shipped checkpoint: one family up, another one down."""
    answers = made(shuffled={"fact": 0.2, "order": 0.1, "changed": 0.3})
    taken = points(answers)
    assert taken["largest_shuffled_effect"] == pytest.approx(0.1)
    total = [row.correct for row in answers if row.arm == "shuffled"]
    floor = [row.correct for row in answers if row.arm == "floor"]
    assert sum(total) == sum(floor), "the self-check over all questions sees nothing"


@pytest.mark.parametrize("shift", [0.15, -0.15])
def test_an_effect_of_either_sign_is_one(shift):
    interval = strict_measures(made(shuffled=0.2 + shift), seed=0, resamples=200)[
        "largest_shuffled_effect"
    ]
    assert interval.point == pytest.approx(0.15) and 0 < interval.low <= 0.15 <= interval.high


def test_freshness_is_over_the_questions_of_the_last_third():
    taken = strict_measures(made(stale=0.3), seed=0, resamples=200)["above_stale"]
    assert taken.point == pytest.approx(0.5, abs=0.1) and taken.n == 40 * 3 * 2


def test_what_latents_do_to_the_reader_and_their_text_does_not():
    """A red self-check whose cause is any document, and one whose cause is the latents."""
    measure = "shuffled_above_other_text"
    assert points(made(shuffled=0.3, other_text=0.3))[measure] == 0
    assert points(made(shuffled=0.3, other_text=0.2))[measure] == pytest.approx(0.1)
    assert measure not in points(made(shuffled=0.3))


def test_measures_that_need_an_optional_arm_are_those_of_the_table():
    """A ladder measures these arms too; no measure is left open for want of one."""
    missing = set(_MEASURES) - set(points(made()))
    assert missing == set(NEEDED_ARMS)
    with_them = points(made(**dict.fromkeys(NEEDED_ARMS.values(), 0.2)))
    assert set(with_them) == set(_MEASURES)


def test_small_families_are_no_part_of_the_worst():
    few = LEAST_QUESTIONS // 5 - 1
    assert "lowest_family_retention" not in points(made(documents=few))


def test_a_family_without_headroom_leaves_it_open():
    taken = strict_measures(
        made(ceiling={"fact": 1.0, "order": 0.2, "changed": 1.0}), seed=0, resamples=200
    )["lowest_family_retention"]
    assert isnan(taken.point) and not taken.defined


def test_simultaneous_intervals_are_wider():
    alone = strict_measures(
        [row for row in made() if row.family == "fact"], seed=0, resamples=2000
    )["lowest_family_retention"]
    worst = strict_measures(made(), seed=0, resamples=2000)["lowest_family_retention"]
    assert worst.low <= alone.low
