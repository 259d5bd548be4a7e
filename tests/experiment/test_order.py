"""The order of the phases: what may start, what is skipped, which verdicts stand."""

import shutil
from pathlib import Path

import pytest

from latentcomp.common.errors import LatentcompError, PhaseError
from latentcomp.experiment import published
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.order import (
    Prerequisite,
    missing,
    prerequisites,
    require,
    standing_verdicts,
    tell_order,
    tell_published,
    why_it_goes_on,
)
from latentcomp.experiment.phases import PHASES, phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.verdict import Verdict

from . import runs

RUN = RunFolder(Path("runs/some"))


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
            require(phase, verdicts(recorded), run=RUN)


def test_every_prerequisite_is_an_earlier_phase():
    for each in PHASES:
        assert all(needed.phase < each.number for needed in prerequisites(each.number))


@pytest.mark.parametrize(
    ("phase", "recorded", "words"),
    [
        (4, {}, "`latentcomp ladder --through 3 --run runs/some`"),
        (8, {1: "failed", 7: "passed"}, "phase 1 to have passed, and it is failed .because."),
    ],
)
def test_refusal_says_what_to_run_first_in_one_line(phase, recorded, words):
    with pytest.raises(PhaseError, match=words) as caught:
        require(phase, verdicts(recorded), run=RUN)
    assert "\n" not in str(caught.value)
    assert "--skip-order" in str(caught.value)


def test_skipping_names_all_that_was_left_out():
    assert require(1, {}, run=RUN) == ()
    assert require(4, {}, skip=True, run=RUN) == (1, 2, 3)
    assert require(4, verdicts({2: "passed"}), skip=True, run=RUN) == (1, 3)
    assert require(8, verdicts(dict.fromkeys(range(1, 8), "failed")), skip=True, run=RUN) == (1,)


def test_a_skip_is_inherited_without_the_flag():
    recorded = {4: verdict(4, skipped=(1, 2, 3)), 5: verdict(5, skipped=(1, 2, 3))}
    assert require(6, recorded, run=RUN) == (1, 2, 3)
    # Made up for since, but this run went on from a checkpoint that lacked them.
    made_up = {**verdicts({1: "passed", 2: "passed", 3: "passed"}), **recorded}
    assert require(6, made_up, run=RUN) == (1, 2, 3)


def test_a_thin_verdict_satisfies_no_order_and_is_named_when_skipped():
    """Until 0.1 a phase that was hardly looked at could be passed by; now it opens nothing."""
    recorded = {1: verdict(1), 2: verdict(2), 3: verdict(3, "passed", thin=True)}
    with pytest.raises(PhaseError, match="needs a verdict on phase 3 that counts") as caught:
        require(4, recorded, run=RUN)
    assert "\n" not in str(caught.value) and "because" in str(caught.value)
    assert require(4, recorded, skip=True, run=RUN) == (3,)
    assert require(4, {**recorded, 2: verdict(2, thin=True), 3: verdict(3)}, run=RUN) == (2,)


@pytest.fixture
def lines():
    """What a user is told, line by line."""
    return list[str]()


def test_a_verdict_stands_with_its_evidence(passed, lines):
    assert standing_verdicts(RunFolder(passed.path.with_name("absent"))) == {}
    assert standing_verdicts(passed, None, lines.append) == {1: read_history(passed, 1)[-1]}
    assert lines == []


def test_a_damaged_history_is_one_line(passed):
    with passed.verdicts(1).open("a") as history:
        history.write("{}\n")
    with pytest.raises(LatentcompError, match=r"phase-1\.jsonl, line 2: not a Verdict") as caught:
        standing_verdicts(passed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("now", [b"other weights", None])
def test_a_verdict_does_not_outlive_its_weights(passed, lines, now):
    trial = passed.trial("phase-1", 0)
    shutil.rmtree(trial.checkpoint)
    if now is not None:
        runs.save_trial(passed, phase(1).recipe, weights=now)
    assert standing_verdicts(passed, None, lines.append) == {}
    (line,) = lines
    assert "phase-1.jsonl: left out" in line and "\n" not in line


def test_a_verdict_of_a_comparison_does_not_outlive_its_reference(small_lab, tmp_path, lines):
    run = RunFolder(tmp_path)
    for number in (1, 2):
        runs.save_phase(run, number, (0, 1, 2), compressed=0.4 + 0.2 * number)
    assert judge_phase(run, 2).status == "passed"
    assert 2 in standing_verdicts(run, None, lines.append)
    runs.save_trial(run, phase(1).recipe, 1, weights=b"other")
    assert 2 not in standing_verdicts(run, None, lines.append)
    assert any("phase-1/seed-1" in line for line in lines)


def test_a_verdict_that_names_no_weights_is_on_none(tmp_path, lines):
    run = RunFolder(tmp_path)
    run.verdicts(1).parent.mkdir(parents=True)
    run.verdicts(1).write_text(verdict(1).model_dump_json() + "\n")
    assert standing_verdicts(run, None, lines.append) == {}
    least = phase(1).gate.minimum.documents
    command = f"latentcomp evaluate --phase 1 --documents {least} --run {tmp_path}"
    assert f"`{command}` again" in lines[0]


def test_a_verdict_without_its_evaluation_stands_no_longer(passed, lines):
    shutil.rmtree(passed.trial("phase-1", 0).path / "evaluations")
    assert standing_verdicts(passed, None, lines.append) == {}
    assert "its evidence cannot be had again" in lines[0]


def test_what_is_left_out_is_said_on_stderr(passed, capsys):
    shutil.rmtree(passed.trial("phase-1", 0).checkpoint)
    standing_verdicts(passed)
    streams = capsys.readouterr()
    assert "left out" in streams.err and not streams.out


def test_published_verdicts_stand_for_the_phases_that_the_run_did_not_judge(
    passed, lines, tmp_path, monkeypatch
):
    teacher = runs.MODEL.weights_sha256
    file = tmp_path / "published.jsonl"
    made = [verdict(n, teacher_sha256=teacher, made="in November") for n in (1, 2, 3)]
    made.append(verdict(3, "failed", teacher_sha256="f" * 64))
    file.write_text("".join(one.model_dump_json() + "\n" for one in made))
    monkeypatch.setattr(published, "PUBLISHED", file)
    stand = standing_verdicts(passed, teacher, lines.append)
    assert stand == {1: read_history(passed, 1)[-1], 2: made[1], 3: made[2]}
    tell_published(4, stand, passed, lines.append)
    assert [line.split(":")[0] for line in lines] == ["phase 2", "phase 3"]
    assert all("in November" in line for line in lines)
    assert standing_verdicts(passed, "e" * 64, lines.append) == {}, "of another teacher, too"
    assert standing_verdicts(passed, None, lines.append).keys() == {1}


@pytest.fixture
def published_verdict(tmp_path, monkeypatch):
    """A function: publish one verdict on phase 1."""

    def publish(**changes):
        made = verdict(1, teacher_sha256=runs.MODEL.weights_sha256, made="in November", **changes)
        file = tmp_path / "published.jsonl"
        file.write_text(made.model_dump_json() + "\n")
        monkeypatch.setattr(published, "PUBLISHED", file)
        return made

    return publish


def test_a_thin_verdict_of_the_run_does_not_hide_the_published_one(
    small_lab, tmp_path, published_verdict, lines
):
    run, teacher = RunFolder(tmp_path / "run"), runs.MODEL.weights_sha256
    runs.save_phase(run, 1, documents=4)
    own = judge_phase(run, 1)
    assert own.thin
    assert standing_verdicts(run, teacher, lines.append) == {1: own}
    made = published_verdict()
    stand = standing_verdicts(run, teacher, lines.append)
    assert stand == {1: made} and require(2, stand, run=run) == ()
    tell_published(2, stand, run, lines.append)
    (line,) = lines
    assert "published verdict of in November" in line
    assert f"the run's own ({run.verdicts(1)}) is thin" in line
    published_verdict(thin=True)
    assert standing_verdicts(run, teacher, lines.append) == {1: own}, "nothing better is published"


def test_a_verdict_that_counts_is_never_replaced_by_a_published_one(
    passed, published_verdict, lines
):
    """Neither while it stands nor when the weights that it was on are gone."""
    published_verdict(status="failed")
    teacher = runs.MODEL.weights_sha256
    assert standing_verdicts(passed, teacher, lines.append)[1].status == "passed"
    shutil.rmtree(passed.trial("phase-1", 0).checkpoint)
    assert standing_verdicts(passed, teacher, lines.append) == {}


@pytest.mark.parametrize(
    ("number", "recorded", "says"),
    [
        (4, {1: "passed", 2: "passed", 3: "passed"}, ""),
        (
            4,
            {1: "inconclusive", 2: "passed", 3: "failed", 5: "failed"},
            "phase 1: inconclusive, phase 3: failed; phase 4 may begin all the same, as the order "
            "asks for a verdict that counts on phase 3, whatever it says",
        ),
        (
            8,
            {1: "passed", 7: "failed"},
            "phase 7: failed; phase 8 may begin all the same, as the order asks for a verdict that "
            "counts on phase 1, which must be passed and a verdict that counts on phase 7, "
            "whatever it says",
        ),
    ],
)
def test_why_a_phase_begins_after_one_that_did_not_pass(number, recorded, says, lines):
    made = verdicts(recorded)
    assert require(number, made, run=RUN) is not None, "the rule lets it begin"
    assert why_it_goes_on(number, made).startswith(says) and bool(says) == bool(
        why_it_goes_on(number, made)
    )
    tell_order(number, made, RUN, lines.append)
    assert lines == ([why_it_goes_on(number, made)] if says else [])
