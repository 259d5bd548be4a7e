import shutil

import pytest

from latentcomp.common.errors import LatentcompError, PhaseError
from latentcomp.evaluate.gates import GATES, Verdict
from latentcomp.evaluate.order import (
    Prerequisite,
    missing,
    prerequisites,
    read_verdicts,
    require,
    write_verdict,
)

from .checkpoints import save_checkpoint


def verdict(phase, status="passed", skipped=(), **changes):
    return Verdict(
        phase=phase,
        status=status,
        n=2000,
        documents=200,
        seeds=(1,),
        interval=None,
        threshold=0.1,
        reason="because",
        criteria=(),
        skipped=skipped,
        **changes,
    )


def verdicts(statuses):
    return {phase: verdict(phase, status) for phase, status in statuses.items()}


@pytest.mark.parametrize(
    ("phase", "recorded", "expected"),
    [
        (1, {}, ()),
        (2, {}, (Prerequisite(1),)),
        (2, {1: "failed"}, ()),
        (5, {1: "passed", 4: "inconclusive"}, ()),
        (5, {1: "passed"}, (Prerequisite(4),)),
        (8, {}, (Prerequisite(1, "passed"), Prerequisite(7))),
        (8, {1: "inconclusive", 7: "passed"}, (Prerequisite(1, "passed"),)),
        (8, {1: "passed", 7: "failed"}, ()),
    ],
)
def test_the_order_is_binding(phase, recorded, expected):
    assert missing(phase, verdicts(recorded)) == expected
    if expected:
        with pytest.raises(PhaseError, match=f"phase {phase} needs"):
            require(phase, verdicts(recorded))


def test_every_prerequisite_is_an_earlier_phase():
    for gate in GATES:
        assert all(needed.phase < gate.phase for needed in prerequisites(gate.phase))


@pytest.mark.parametrize(
    ("phase", "recorded", "words"),
    [
        (4, {}, "latentcomp train --phase 3"),
        (8, {1: "failed", 7: "passed"}, "phase 1 to have passed, and it is failed .because."),
    ],
)
def test_refusal_says_what_to_run_first_in_one_line(phase, recorded, words):
    with pytest.raises(PhaseError, match=words) as caught:
        require(phase, verdicts(recorded))
    assert "\n" not in str(caught.value)
    assert "--skip-order" in str(caught.value)


def test_skipping_names_all_that_was_left_out():
    assert require(1, {}) == ()
    assert require(4, {}, skip=True) == (1, 2, 3)
    assert require(4, verdicts({2: "passed"}), skip=True) == (1, 3)
    assert require(8, verdicts(dict.fromkeys(range(1, 8), "failed")), skip=True) == (1,)


def test_a_skip_is_inherited_without_the_flag():
    recorded = {4: verdict(4, skipped=(1, 2, 3)), 5: verdict(5, skipped=(1, 2, 3))}
    assert require(6, recorded) == (1, 2, 3)
    # Made up for since, but this run went on from a checkpoint that lacked them.
    made_up = {**verdicts({1: "passed", 2: "passed", 3: "passed"}), **recorded}
    assert require(6, made_up) == (1, 2, 3)


def test_a_phase_that_was_hardly_looked_at_is_named_as_skipped():
    """It may go on, as the plan says, but not without a trace."""
    recorded = {1: verdict(1), 2: verdict(2, "inconclusive", thin=True), 3: verdict(3)}
    assert require(4, recorded) == (2,)


@pytest.fixture
def told():
    return list[str]()


def test_verdicts_are_recorded_in_the_run(tmp_path, told):
    assert read_verdicts(tmp_path) == {}
    sha = save_checkpoint(tmp_path / "phases" / "4" / "checkpoint")
    made = verdict(4, skipped=(1, 2, 3), checkpoint_sha256=sha)
    path = write_verdict(tmp_path, made)
    assert path == tmp_path / "phases" / "4" / "verdict.json"
    assert read_verdicts(tmp_path, told.append) == {4: made}
    assert told == []
    path.write_text("{}")
    with pytest.raises(LatentcompError, match="verdict.json"):
        read_verdicts(tmp_path)


@pytest.mark.parametrize("now", [b"other weights", None])
def test_a_verdict_does_not_outlive_its_weights(tmp_path, told, now):
    root = tmp_path / "phases" / "1" / "checkpoint"
    write_verdict(tmp_path, verdict(1, checkpoint_sha256=save_checkpoint(root)))
    shutil.rmtree(root)
    if now is not None:
        save_checkpoint(root, now)
    assert read_verdicts(tmp_path, told.append) == {}
    (line,) = told
    assert "verdict.json: left out" in line and "\n" not in line


def test_a_verdict_that_names_no_weights_is_on_none(tmp_path, told):
    save_checkpoint(tmp_path / "phases" / "1" / "checkpoint")
    write_verdict(tmp_path, verdict(1))
    assert read_verdicts(tmp_path, told.append) == {}
    assert "`latentcomp evaluate --phase 1` again" in told[0]


def test_what_is_left_out_is_said_on_stderr(tmp_path, capsys):
    write_verdict(tmp_path, verdict(1))
    read_verdicts(tmp_path)
    said = capsys.readouterr()
    assert "left out" in said.err and not said.out
