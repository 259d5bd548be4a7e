import re
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.evaluate import gates, stats
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.gates import (
    GATES,
    Criterion,
    Evidence,
    Measurement,
    Verdict,
    gate_of,
    judge,
    shuffled_at_floor,
)
from latentcomp.evaluate.stats import Interval

PLAN = (Path(__file__).parents[2] / "docs" / "experiment_plan.md").read_text(encoding="utf-8")


def interval(low, high, point=None):
    middle = (low + high) / 2 if point is None else point
    return Interval(point=middle, low=low, high=high, n=2000, clusters=250)


def evidence(phase, **changes):
    """Evidence that passes a phase, with some of it changed."""
    gate = gate_of(phase)
    taken = {
        "shuffled_minus_floor": Measurement(interval(-0.01, 0.01)),
        "ceiling_minus_floor": Measurement(interval(0.70, 0.80)),
    }
    for criterion in gate.criteria:
        sign = 1 if criterion.bound == "low" else -1
        middle = criterion.threshold + sign * 0.05
        measured = Measurement(interval(middle - 0.02, middle + 0.02), (middle,) * 3)
        taken[criterion.measure] = measured
    measures = {**taken, **changes.pop("measures", {})}
    fields = {
        "documents": gate.minimum.documents,
        "questions": gate.minimum.questions,
        "seeds": (1, 2, 3),
        "tokens_per_latent": 3.98,
        "arms": REQUIRED_ARMS,
        "measures": {name: found for name, found in measures.items() if found is not None},
    }
    return Evidence(**{**fields, **changes})


def table_after(marker):
    block = PLAN.split(f"<!-- {marker}:begin", 1)[1].split(f"<!-- {marker}:end", 1)[0]
    lines = [line for line in block.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_plan_and_the_code_hold_the_same_gates():
    in_code = [
        (
            str(gate.phase),
            criterion.measure,
            criterion.condition,
            str(gate.minimum.documents),
            str(gate.minimum.questions),
            str(gate.minimum.seeds),
        )
        for gate in GATES
        for criterion in gate.criteria
    ]
    assert table_after("gates") == in_code


def test_the_plan_and_the_code_hold_the_same_conditions():
    values = [float(value) for _, value in table_after("conditions")]
    assert values == [
        stats.CONFIDENCE,
        stats.RESAMPLES,
        stats.MAX_UNDEFINED,
        gates.SHUFFLED_MARGIN,
        gates.HEADROOM,
        gates.MIN_RATIO,
        gate_of(4).aim,
        gates.EXTENSION,
        gates.ATTEMPTS,
    ]


def test_the_plan_names_every_measure_and_every_time_family():
    defined = PLAN.split("## 3. Measures")[1].split("## 4.")[0]
    assert set(re.findall(r"^\| `(\w+)`", defined, re.MULTILINE)) == set(
        gates.Measure.__args__  # type: ignore[attr-defined]
    )
    row = next(line for line in defined.splitlines() if line.startswith("| `time_gain`"))
    assert tuple(re.findall(r"`(\w+)`", row)[1:]) == gates.TIME_FAMILIES


@pytest.mark.parametrize("phase", range(1, 9))
def test_every_phase_can_pass(phase):
    verdict = judge(phase, evidence(phase))
    assert verdict.status == "passed"
    assert verdict.interval is not None
    assert verdict.threshold == gate_of(phase).criteria[0].threshold
    assert " lies " in verdict.reason and "wrong" not in verdict.reason


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: f"phase{gate.phase}")
def test_every_criterion_can_fail_its_phase(gate):
    for criterion in gate.criteria:
        sign = -1 if criterion.bound == "low" else 1
        bad = criterion.threshold + sign * 0.05
        wrong = {criterion.measure: Measurement(interval(bad - 0.02, bad + 0.02))}
        verdict = judge(gate.phase, evidence(gate.phase, measures=wrong))
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
        ({"finished": False, "steps": 7}, "had not reached its end at step 7"),
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
        ({"finished": False}, False, True),
        ({"questions": 1499}, False, False),
        ({"tokens_per_latent": 3.8}, False, False),
        ({"arms": ("compressed",)}, False, False),
        ({"measures": {"retention": None}}, True, False),
        ({"measures": {"shuffled_minus_floor": Measurement(interval(0.01, 0.05))}}, True, False),
    ],
)
def test_what_uses_up_an_attempt_and_what_passes_a_phase_by(changes, counts, thin):
    found = judge(4, evidence(4, **changes))
    assert (found.counts, found.thin) == (counts, thin)


def test_a_verdict_names_what_it_is_on():
    named = {
        "seed": 7,
        "corpus_sha256": "c" * 64,
        "ratio": 4.0,
        "checkpoint_sha256": "a" * 64,
        "steps": 300,
    }
    found = judge(4, evidence(4, **named)).model_dump()
    assert found.items() >= (named | {"finished": True}).items()


def test_skipped_phases_stay_in_the_verdict():
    verdict = judge(4, evidence(4), skipped=(1, 2, 3))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert verdict.skipped == (1, 2, 3)


def test_judge_is_pure():
    found = evidence(4)
    assert judge(4, found) == judge(4, replace(found))


def test_unknown_phase_is_refused():
    with pytest.raises(ValueError, match="phase 9"):
        judge(9, evidence(4))
