"""The gates: those of the plan, judged by pure functions over recorded numbers."""

import re
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import PhaseError
from latentcomp.evaluate import measures, stats
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.compare import Comparison
from latentcomp.evaluate.measures import Measurement, shuffled_at_floor
from latentcomp.evaluate.stats import Interval
from latentcomp.experiment import gates, history
from latentcomp.experiment.gates import Criterion, Evidence, Minimum
from latentcomp.experiment.phases import PHASES
from latentcomp.experiment.phases import phase as phase_of
from latentcomp.experiment.verdict import Verdict

from ..evaluate.rows import simulated

PLAN = (Path(__file__).parents[2] / "docs" / "experiment_plan.md").read_text(encoding="utf-8")


def interval(low, high, point=None):
    middle = (low + high) / 2 if point is None else point
    return Interval(point=middle, low=low, high=high, n=2000, clusters=250)


def judge(phase, evidence, **more):
    return gates.apply_gate(phase, phase_of(phase).gate, evidence, **more)


def evidence(phase, **changes):
    """Evidence that lies on the passing side of every criterion, with some of it changed."""
    gate = phase_of(phase).gate
    taken = {
        "shuffled_minus_floor": Measurement(interval(-0.01, 0.01)),
        "ceiling_minus_floor": Measurement(interval(0.70, 0.80)),
    }
    for criterion in gate.criteria:
        sign = 1 if criterion.bound == "low" else -1
        middle = criterion.threshold + sign * 0.05
        measured = Measurement(interval(middle - 0.02, middle + 0.02), (middle,) * 3)
        taken[criterion.measure] = measured
    taken |= changes.pop("measures", {})
    fields = {
        "documents": gate.minimum.documents,
        "questions": gate.minimum.questions,
        "seeds": (1, 2, 3),
        "tokens_per_latent": 3.98,
        "arms": REQUIRED_ARMS,
        "measures": {name: each for name, each in taken.items() if each is not None},
    }
    return Evidence(**{**fields, **changes})


def table_after(marker):
    block = PLAN.split(f"<!-- {marker}:begin", 1)[1].split(f"<!-- {marker}:end", 1)[0]
    lines = [line for line in block.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_plan_and_the_code_hold_the_same_gates():
    in_code = [
        (
            str(each.number),
            criterion.measure,
            criterion.condition,
            str(each.gate.minimum.documents),
            str(each.gate.minimum.questions),
            str(each.gate.minimum.seeds),
        )
        for each in PHASES
        for criterion in each.gate.criteria
    ]
    assert table_after("gates") == in_code


def test_the_plan_and_the_code_hold_the_same_conditions():
    values = [float(value) for _, value in table_after("conditions")]
    assert values == [
        stats.CONFIDENCE,
        stats.RESAMPLES,
        stats.MAX_UNDEFINED,
        measures.SHUFFLED_MARGIN,
        gates.HEADROOM,
        gates.MIN_RATIO,
        phase_of(4).gate.aim,
        history.EXTENSION,
        history.ATTEMPTS,
    ]


def test_the_plan_names_every_measure_and_every_time_family():
    defined = PLAN.split("## 3. Measures")[1].split("## 4.")[0]
    assert set(re.findall(r"^\| `(\w+)`", defined, re.MULTILINE)) == set(
        measures.Measure.__args__  # type: ignore[attr-defined]
    )
    row = next(line for line in defined.splitlines() if line.startswith("| `time_gain`"))
    assert tuple(re.findall(r"`(\w+)`", row)[1:]) == measures.TIME_FAMILIES


@pytest.mark.parametrize("number", range(1, 9))
def test_every_criterion_can_fail_its_phase(number):
    for criterion in phase_of(number).gate.criteria:
        sign = -1 if criterion.bound == "low" else 1
        bad = criterion.threshold + sign * 0.05
        wrong = {criterion.measure: Measurement(interval(bad - 0.02, bad + 0.02))}
        verdict = judge(number, evidence(number, measures=wrong))
        assert verdict.status == "failed"
        assert verdict.threshold == criterion.threshold
        assert criterion.measure in verdict.reason and "on the wrong side" in verdict.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"documents": 199}, "199 documents, the plan asks for at least 200"),
        ({"questions": 1499}, "1499 questions"),
        ({"seeds": ()}, "0 training seeds"),
        ({"tokens_per_latent": 3.8}, "3.80 tokens per latent"),
        ({"tokens_per_latent": nan}, "nan tokens per latent"),
        ({"arms": ("compressed", "ceiling", "floor")}, "not measured: shuffled, zero"),
        ({"ratio": 8.0, "phase_ratio": 4.0}, "measured at 8x, which is reported and never gated"),
        ({"below_budget": "phase-4, seed 0: stopped at step 7"}, "seed 0: stopped at step 7"),
        ({"measures": {"shuffled_minus_floor": None}}, "self-check"),
        ({"measures": {"shuffled_minus_floor": Measurement(interval(0.01, 0.05))}}, "self-check"),
        ({"measures": {"ceiling_minus_floor": Measurement(interval(0.2, 0.4))}}, "headroom"),
        ({"measures": {"retention": None}}, "retention was not measured"),
        ({"measures": {"retention": Measurement(interval(nan, nan))}}, "no interval"),
        ({"measures": {"retention": Measurement(interval(0.39, 0.45))}}, "reaches across 0.40"),
    ],
)
def test_what_makes_phase_4_inconclusive(changes, words):
    verdict = judge(4, evidence(4, **changes))
    assert verdict.status == "inconclusive"
    assert words in verdict.reason


def test_a_failure_cannot_be_claimed_on_too_little_evidence_either():
    low = {"retention": Measurement(interval(0.1, 0.2))}
    assert judge(4, evidence(4, measures=low)).status == "failed"
    assert judge(4, evidence(4, measures=low, documents=20)).status == "inconclusive"


def test_training_seeds_must_agree():
    """A pooled interval above the threshold, but one of three seeds below it."""
    split = {"retention_gain": Measurement(interval(0.04, 0.10), (0.12, 0.09, 0.01))}
    verdict = judge(2, evidence(2, measures=split))
    assert verdict.status == "inconclusive"
    assert "seeds disagree" in verdict.reason
    assert judge(2, evidence(2, seeds=(1, 1, 1))).status == "inconclusive"


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        (-0.03, 0.05, True),
        (0.0, 0.05, True),
        (-0.09, -0.04, True),
        (0.001, 0.019, True),
        (0.001, 0.02, False),
        (0.01, 0.05, False),
        (nan, nan, False),
    ],
)
def test_self_check(low, high, holds):
    assert shuffled_at_floor(interval(low, high)) is holds


@given(
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(-1, 1),
    st.sampled_from(["low", "high"]),
)
def test_a_criterion_is_never_both_and_wider_is_never_surer(low, width, threshold, bound):
    criterion = Criterion("retention", bound, threshold)
    status = criterion.judge(interval(low, low + width))
    wider = criterion.judge(interval(low - 0.5, low + width + 0.5))
    assert wider in (status, "inconclusive")
    mirrored = Criterion("retention", "high" if bound == "low" else "low", threshold)
    opposite = {"passed": "failed", "failed": "passed", "inconclusive": "inconclusive"}
    assert mirrored.judge(interval(low, low + width)) == opposite[status]


def test_the_must_of_phase_4_is_0_40_at_4x():
    at = {"retention": Measurement(interval(0.40, 0.50))}
    above = {"retention": Measurement(interval(0.401, 0.50))}
    assert judge(4, evidence(4, measures=at)).status == "inconclusive"
    assert judge(4, evidence(4, measures=above)).status == "passed"


@pytest.mark.parametrize(
    ("changes", "counts", "thin"),
    [
        ({}, True, False),
        ({"ratio": 4.0, "phase_ratio": 4.0}, True, False),
        ({"ratio": 8.0, "phase_ratio": 4.0}, False, True),
        ({"documents": 199}, False, True),
        ({"below_budget": "one step"}, False, True),
        ({"questions": 1499}, False, True),
        ({"seeds": ()}, False, True),
        ({"tokens_per_latent": 3.8}, False, True),
        ({"arms": ("compressed",)}, False, True),
        ({"measures": {"retention": None}}, True, False),
        ({"measures": {"shuffled_minus_floor": Measurement(interval(0.01, 0.05))}}, True, False),
    ],
)
def test_what_uses_up_an_attempt_and_what_is_thin(changes, counts, thin):
    """Until 0.1 too few questions or arms were no thin look; now any lack satisfies no order."""
    verdict = judge(4, evidence(4, **changes))
    assert (verdict.counts, verdict.thin) == (counts, thin)


def test_a_verdict_names_what_it_is_on():
    named = {"seed": 7, "corpus_sha256": "c" * 64, "ratio": 4.0, "steps": 300}
    weights = {"phase-4/seed-0": "a" * 64}
    verdict = judge(4, evidence(4, checkpoints=weights, **named)).model_dump()
    assert verdict.items() >= (named | {"finished": True}).items()
    assert (verdict["checkpoints"], verdict["checkpoint_sha256"]) == (weights, "a" * 64)
    assert verdict["gate_sha256"] == phase_of(4).gate.sha256


def test_the_weights_of_several_trials_have_one_hash_that_each_of_them_changes():
    weights = {"phase-2/seed-0": "a" * 64, "phase-1/seed-0": "b" * 64}
    joint = gates.joint_sha256(weights)
    assert joint == gates.joint_sha256(dict(reversed(weights.items()))) and len(joint or "") == 64
    for name in weights:
        assert gates.joint_sha256(weights | {name: "c" * 64}) != joint
    assert gates.joint_sha256({}) is None


def test_the_hash_of_a_gate_is_of_all_that_decides(monkeypatch):
    gate = phase_of(4).gate
    headline, *others = gate.criteria
    changed = [
        replace(gate, criteria=(replace(headline, threshold=0.41), *others)),
        replace(gate, criteria=(replace(headline, bound="high"), *others)),
        replace(gate, criteria=(headline,)),
        replace(gate, minimum=Minimum(199, 1500, 1)),
    ]
    assert len({gate.sha256, *(one.sha256 for one in changed)}) == 5
    assert replace(gate).sha256 == gate.sha256
    before = gate.sha256
    for name in ("HEADROOM", "MIN_RATIO", "REQUIRED_ARMS"):
        with monkeypatch.context() as patch:
            patch.setattr(gates, name, 0)
            assert gate.sha256 != before, name


def test_skipped_phases_stay_in_the_verdict():
    verdict = judge(4, evidence(4), skipped=(1, 2, 3))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert verdict.skipped == (1, 2, 3)


def test_judge_is_pure():
    numbers = evidence(4)
    assert judge(4, numbers) == judge(4, replace(numbers))


def test_unknown_phase_is_refused():
    with pytest.raises(PhaseError, match="phase 9"):
        judge(9, evidence(4))


def same_reasoner(rows, reference):
    """The same rows with the ceiling and the floor of others."""
    fixed = [one for one in reference if one.arm in ("ceiling", "floor")]
    return [one for one in rows if one.arm not in ("ceiling", "floor")] + fixed


def test_a_comparison_can_pass_and_fail_a_gate():
    reference = simulated(documents=400)

    def side(chance):
        return {
            seed: same_reasoner(simulated(documents=400, seed=seed, compressed=chance), reference)
            for seed in range(3)
        }

    strong, weak = side(0.7), side(0.5)
    for runs, others, status in ((strong, weak, "passed"), (weak, strong, "failed")):
        comparison = Comparison(runs, others, seed=0, resamples=300)
        verdict = judge(2, evidence(2, measures=comparison.measures(), seeds=comparison.seeds))
        assert verdict.status == status
        assert verdict.seeds == (0, 1, 2)
