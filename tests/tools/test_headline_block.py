"""The first lines of the README say what no training asks, and a red self-check stays red."""

from types import SimpleNamespace

from latentcomp.evaluate.stats import Interval
from latentcomp.tools.baselines_block import _red
from latentcomp.tools.headline_block import UNASKED, _unasked


def kept(point):
    span = Interval(point=point, low=point, high=point, n=9, clusters=9, resamples=9, seed=0)
    return SimpleNamespace(retention={"compressed": span})


def result(ratio, **families):
    return SimpleNamespace(
        ratio=ratio, families={name: kept(point) for name, point in families.items()}
    )


def test_the_family_that_no_training_asks_stands_beside_the_lowest_of_the_others():
    assert set(UNASKED) == {"holder"}
    read = [
        result(4.0, holder=0.3, when=0.8, fact=0.9),
        result(8.0, holder=0.2, when=0.1, fact=0.7),
    ]
    (line,) = _unasked(read)
    assert "Of `holder`" in line and "30.0% [30.0%, 30.0%], 20.0% [20.0%, 20.0%]" in line
    assert line.endswith("of every other kind at 4x at least 80.0% (`when`).")


def test_a_world_without_such_a_family_has_no_such_line():
    assert _unasked([result(4.0, when=0.8)]) == []


def test_a_red_check_of_any_ratio_is_quoted_and_an_open_one_is_not():
    def checked(ratio, passed):
        check = SimpleNamespace(passed=passed, message="SELF-CHECK FAILED: +0.02")
        return SimpleNamespace(ratio=ratio, checks={"shuffled_at_floor": check})

    assert _red([checked(4.0, True), checked(8.0, None)]) == []
    assert _red([checked(4.0, True), checked(8.0, False)]) == [
        "", "**at 8x: SELF-CHECK FAILED: +0.02.**"
    ]  # fmt: skip
