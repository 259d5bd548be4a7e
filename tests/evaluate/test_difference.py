"""Differences in words, p-values, and tables of many: nothing is invented, "tied" is earned."""

import importlib.util
import json
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.evaluate.difference import (
    POWER,
    TIED_MARGIN,
    in_words,
    power_for,
    smallest_shown,
    word,
)
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.stats import Interval, holm, p_value
from latentcomp.evaluate.table import print_result

from . import rows

ROOT = Path(__file__).parents[2]


def interval(low, high, confidence=0.95):
    return Interval(
        point=(low + high) / 2, low=low, high=high, n=100, clusters=50, confidence=confidence
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.1, "above"),
        (-0.1, -0.001, "below"),
        (-0.019, 0.019, "tied"),
        (-0.02, 0.019, "open"),
        (-0.019, 0.02, "open"),
        (-0.3, 0.4, "open"),
        (0.001, 0.002, "above"),  # however small: it is clear of 0
        (nan, nan, "unmeasured"),
    ],
)
def test_a_difference_is_one_word(low, high, expected):
    assert word(interval(low, high)) == expected


def test_what_is_not_told_apart_says_how_much_would_show():
    assert in_words(interval(0.1, 0.2)) == "+0.150 [+0.100, +0.200]"
    assert in_words(interval(-0.01, 0.01)) == "+0.000 [-0.010, +0.010], tied: within 0.02"
    assert in_words(interval(-0.098, 0.098)) == "+0.000 [-0.098, +0.098], open: 0.140 would show"
    assert in_words(interval(nan, nan)) == "–"
    assert TIED_MARGIN == 0.02 and POWER == 0.80


def test_the_smallest_shown_difference_is_2_8_standard_errors():
    error = 0.05
    shown = smallest_shown(interval(-1.959964 * error, 1.959964 * error))
    assert shown == pytest.approx(2.8015 * error, rel=1e-4)
    assert power_for(interval(-0.098, 0.098), shown) == pytest.approx(POWER, abs=0.01)
    assert isnan(smallest_shown(interval(nan, nan))) and isnan(power_for(interval(nan, nan), 0.1))


def test_a_simultaneous_interval_shows_less():
    alone = smallest_shown(interval(-0.1, 0.1))
    of_many = smallest_shown(interval(-0.1 * 1.5, 0.1 * 1.5, confidence=0.9967))
    assert of_many > alone


@given(
    low=st.floats(-1, 1),
    width=st.floats(1e-6, 1),
    more=st.floats(0.001, 0.5),
    effect=st.floats(0, 1),
)
def test_a_larger_effect_is_found_more_often_and_in_a_wider_interval_less(low, width, more, effect):
    narrow, wide = interval(low, low + width), interval(low, low + width + more)
    assert power_for(narrow, effect + more) >= power_for(narrow, effect)
    assert power_for(wide, effect) <= power_for(narrow, effect) + 1e-12
    assert smallest_shown(wide) > smallest_shown(narrow)


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        (np.ones(999), 2 / 1000),  # never 0
        (-np.ones(999), 2 / 1000),
        (np.zeros(999), 1.0),
        (np.concatenate([np.ones(950), -np.ones(49)]), 2 * 50 / 1000),
        (np.full(999, nan), nan),
        (np.concatenate([np.ones(900), np.full(99, nan)]), nan),
    ],
)
def test_a_p_value_counts_the_draws_beyond_zero(draws, expected):
    assert p_value(draws) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("given_", "adjusted"),
    [
        ([0.01], [0.01]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([nan, 0.01], [nan, 0.02]),
        ([], []),
    ],
)
def test_holm_by_hand(given_, adjusted):
    assert holm(given_) == pytest.approx(adjusted, nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_nothing_and_bonferroni_and_keeps_the_order(p):
    adjusted = holm(p)
    for one, other in zip(p, adjusted, strict=True):
        assert one <= other <= min(1.0, one * len(p)) + 1e-12
    order = np.argsort(p, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= 0)


def simulation():
    path = ROOT / "benchmarks" / "ablation_power.py"
    spec = importlib.util.spec_from_file_location("ablation_power", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recorded_grids_invent_nothing_and_find_what_they_say():
    recorded = json.loads((ROOT / "docs/results/ablation_power.json").read_text())
    assert recorded["effect"] == 0.03 and recorded["repeats"] >= 1000 and recorded["rows"] == 12
    error = (recorded["level"] / recorded["repeats"]) ** 0.5
    for grid in recorded["grids"]:
        assert grid["any_invented_after_holm"] <= recorded["level"] + 2 * error
        assert grid["any_invented_of_nulls"] <= recorded["level"]
        assert grid["invented_each"] <= recorded["level"]
        assert abs(grid["found"] - grid["stated_power"]) < 0.1
        assert grid["found_of_smallest_shown"] > recorded["power"] - 0.05


def test_the_simulation_gives_what_was_recorded():
    """Fewer repeats, another seed: within four standard errors of so few."""
    recorded = json.loads((ROOT / "docs/results/ablation_power.json").read_text())
    module, repeats = simulation(), 40
    first = recorded["grids"][0]
    size = module.Grid(documents=first["documents"], seed_sd=first["seed_sd"], resamples=300)
    again = module.measure(size, repeats, seed=1)
    spread = (first["found"] * (1 - first["found"]) / repeats) ** 0.5
    assert abs(again["found"] - first["found"]) < 4 * spread
    assert again["any_invented_after_holm"] < 0.2


def answered(bm25, compressed=0.6, documents=60, ceiling=1.0):
    """Latents right in so many of ten questions of a document, the arm of search in so many."""
    made = []
    for number in range(documents):
        shares = {"ceiling": ceiling, "floor": 0.0, "compressed": compressed, "shuffled": 0.0}
        for arm, share in {**shares, "zero": 0.0, "bm25": bm25}.items():
            for question in range(10):
                right = (question + number) % 10 < 10 * share
                made.append(rows.row(f"d{number}", f"q{question}", arm, correct=right))
    return EvaluationResult.from_scores(made, seed=0, resamples=200)


@pytest.mark.parametrize(
    ("bm25", "words"),
    [
        (0.9, "TEXT WINS at equal tokens (latents minus text): bm25 -0.300"),
        (0.6, "tied at equal tokens (latents minus text): bm25 +0.000"),
        (0.2, "latents win over text of as many tokens (latents minus text): bm25 +0.400"),
    ],
)
def test_where_text_of_as_many_tokens_wins_the_first_line_says_so(bm25, words, capsys):
    print_result(answered(bm25))
    printed = " ".join(capsys.readouterr().out.split())
    assert words in printed


def test_where_the_document_helps_with_nothing_arms_are_not_called_tied(capsys):
    print_result(answered(0.0, compressed=0.0, ceiling=0.0))
    printed = " ".join(capsys.readouterr().out.split())
    assert "at equal tokens" not in printed and "helps with no question" in printed


def test_arms_that_are_no_text_are_not_held_against_the_latents():
    result = answered(0.9)
    assert set(result.above_text) == {"bm25"}
