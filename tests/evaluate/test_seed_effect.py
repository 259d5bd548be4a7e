"""Intervals cover the choice of training seeds, and only ever widen for it."""

import numpy as np
import pytest

from latentcomp.evaluate.compare import Comparison, ablation_drop
from latentcomp.evaluate.measures import Measure
from latentcomp.evaluate.seed_effect import SeedEffect

from .rows import simulated


def runs(*chances, documents=60):
    """By seed: the same ceiling and floor, compressed answers that are right with a chance."""
    fixed = [row for row in simulated(documents=documents) if row.arm in ("ceiling", "floor")]
    return {
        seed: fixed
        + [
            row
            for row in simulated(documents=documents, seed=seed, compressed=chance)
            if row.arm not in ("ceiling", "floor")
        ]
        for seed, chance in enumerate(chances)
    }


def width(interval):
    return interval.high - interval.low


def test_deviations_follow_student_of_the_seeds():
    effect = SeedEffect.of((0.1, 0.2, 0.3))
    assert effect is not None
    assert effect.sd == pytest.approx(0.1) and (effect.degrees, effect.seeds) == (2, 3)
    low, high = np.quantile(effect.draws(200_000, seed=3), [0.025, 0.975])
    # Tables: t of 2 degrees of freedom is 4.303 at 0.975.
    assert (-low, high) == pytest.approx((4.303 * 0.1 / 3**0.5,) * 2, rel=0.03)
    assert np.array_equal(effect.draws(50, 1), effect.draws(50, 1))
    assert not np.array_equal(effect.draws(50, 1), effect.draws(50, 2))


def test_one_seed_has_no_effect_and_several_comparisons_pool_theirs():
    assert SeedEffect.of((0.4,)) is None
    pooled = SeedEffect.of((0.1, 0.2, 0.3), (0.0, 0.0, 0.0))
    assert pooled is not None
    assert pooled.seeds == 3 and pooled.degrees == pytest.approx(3.2)
    assert pooled.sd == pytest.approx((0.1**2 / 2) ** 0.5)
    with pytest.raises(ValueError, match=r"\[1, 2\] seeds cannot be pooled"):
        SeedEffect.of((0.1,), (0.1, 0.2))


@pytest.mark.parametrize("rows", [1, 2, 12])
def test_degrees_of_freedom_are_those_that_a_shared_recipe_leaves(rows):
    """Of the pooled variance, by its own mean and variance over simulated seeds."""
    rng, seeds = np.random.default_rng(rows), 3
    full, others = rng.normal(size=(20_000, 1, seeds)), rng.normal(size=(20_000, rows, seeds))
    variances = np.var(full - others, axis=2, ddof=1).mean(axis=1)
    matched = 2 * variances.mean() ** 2 / variances.var()
    effect = SeedEffect.of(*np.zeros((rows, seeds)).tolist())
    assert effect is not None
    assert effect.degrees == pytest.approx(matched, rel=0.05)


def test_one_seed_is_compared_as_in_earlier_versions():
    """Values computed before seeds were a source of chance."""
    reference = simulated(documents=40)
    fixed = [row for row in reference if row.arm in ("ceiling", "floor")]
    better = simulated(documents=40, seed=1, compressed=0.8)
    better = [row for row in better if row.arm not in ("ceiling", "floor")] + fixed
    measures = Comparison({1: better}, {1: reference}, seed=5, resamples=300).measures()
    golden: dict[Measure, tuple[float, float, float]] = {
        "retention_gain": (0.21818181818181814, 0.15123933901918984, 0.28900171526586615),
        "time_gain": (0.2125, 0.14375, 0.2875),
        "stale_rise": (-0.1, -0.1875, -0.025),
        "shuffled_minus_floor": (0.025, -0.03125, 0.075),
    }
    for name, expected in golden.items():
        interval = measures[name].interval
        assert (interval.point, interval.low, interval.high) == pytest.approx(expected, abs=1e-14)


def test_seeds_that_differ_widen_the_interval_and_leave_the_point():
    reference = runs(0.5, 0.5, 0.5)
    alike = Comparison(runs(0.7, 0.7, 0.7), reference, seed=0).retention_gain()
    apart = Comparison(runs(0.5, 0.7, 0.9), reference, seed=0).retention_gain()
    assert width(apart.interval) > 3 * width(alike.interval)
    assert apart.interval.point == pytest.approx(np.mean(apart.by_seed), abs=0.01)
    assert apart.interval.low < apart.interval.point < apart.interval.high


def test_equal_seeds_leave_the_interval_of_documents():
    (rows,), (reference,) = runs(0.7).values(), runs(0.5).values()
    once = Comparison({0: rows}, {0: reference}, seed=0).measures()
    thrice = Comparison(
        dict.fromkeys(range(3), rows), dict.fromkeys(range(3), reference), seed=0
    ).measures()
    for name, measurement in thrice.items():
        one, three = once[name].interval, measurement.interval
        assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=1e-12)


def test_the_self_check_is_not_made_lenient_by_seeds():
    """Its interval has to reach 0, which a wider one does more easily."""
    fixed = runs(0.7)[0]
    shuffled = {
        seed: [row for row in fixed if row.arm != "shuffled"]
        + [
            row
            for row in simulated(documents=60, seed=seed, shuffled=chance)
            if row.arm == "shuffled"
        ]
        for seed, chance in enumerate((0.2, 0.3, 0.9))
    }
    taken = Comparison(shuffled, dict.fromkeys(range(3), fixed), seed=0).measures()
    assert taken["shuffled_minus_floor"].interval.low > 0.2
    assert width(taken["compressed_minus_shuffled"].interval) > 1


def test_ablations_share_one_estimate_of_the_seeds():
    """Beside an ablation whose seeds differ, the interval of one whose seeds agree widens."""
    full = runs(0.8, 0.8, 0.8)
    agreeing, differing = runs(0.5, 0.5, 0.5), runs(0.65, 0.8, 0.95)
    alone = ablation_drop(full, {"mix": agreeing, "time": agreeing}, seed=0).interval
    beside = ablation_drop(full, {"mix": agreeing, "time": differing}, seed=0).interval
    assert beside.point == alone.point
    assert width(beside) > width(alone)
    assert beside.confidence == pytest.approx(0.95)
