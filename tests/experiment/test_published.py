"""The verdicts that ship: whole, of the lab teacher, by the gates of today, and open to all."""

import json
from pathlib import Path

import pytest

import latentcomp
from latentcomp.common.errors import LatentcompError, PhaseError
from latentcomp.experiment.catalogue import phase_of
from latentcomp.experiment.order import Prerequisite, missing, require, tell_published
from latentcomp.experiment.phases import phase
from latentcomp.experiment.published import earlier_stages, read_earlier, read_published
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.models.files import ModelFiles, identify_model, locate_model
from latentcomp.tools import publish
from latentcomp.tools.by_ratio import HEADLINES
from latentcomp.tools.publish import headline, portable, published_with
from latentcomp.train.checkpoint import MODEL, open_checkpoint

LADDERS = ["lab3", "lab"]
"""Teachers whose ladder is published."""


def standing_on(name):
    """Published verdicts that stand for runs with a teacher, those on an earlier stage too."""
    teacher = identify_model(locate_model(name)).weights_sha256
    return read_earlier(teacher) | read_published(teacher)


@pytest.mark.parametrize("name", LADDERS)
def test_what_is_published_is_readable_and_of_the_lab_teachers(name):
    """Each by the gate of today, on all that the plan asks for."""
    records = standing_on(name)
    assert records
    for number, one in records.items():
        assert one.gate_sha256 == phase(number).gate.sha256, "judged by a gate of another day"
        assert one.counts and not one.thin and one.made


TRIALS = sorted((Path(latentcomp.__file__).parent / "lab" / "ladder").glob("phase-*"))


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_trial_of_the_ladder_that_is_kept_is_the_one_that_was_judged(trial):
    """Not in the package, so not everywhere; its weights, teacher and layers are of the verdict."""
    state = open_checkpoint(trial).state
    assert state.spec.teacher.weights_sha256 is not None
    verdict = read_published(state.spec.teacher.weights_sha256)[phase_of(trial.name)]
    assert verdict.checkpoint_sha256 == state.sha256[MODEL] and state.finished
    assert state.known_trial.recipe.layers == phase(verdict.phase).recipe.layers


@pytest.mark.parametrize("name", LADDERS)
def test_phase_4_may_begin_where_a_ladder_of_the_lab_teacher_came_to_it(name):
    records = standing_on(name)
    assert missing(4, records) == ()
    assert read_published("0" * 64) == {} and read_published(None) == {}


def test_where_no_ladder_was_climbed_a_phase_says_what_to_run_and_what_skipping_does(tmp_path):
    with pytest.raises(PhaseError) as refused:
        require(4, read_published("0" * 64), run=RunFolder(tmp_path))
    line = str(refused.value)
    assert "phase 4 needs a verdict on phase 3 first: run `latentcomp ladder --through 3" in line
    assert "or pass --skip-order, which is recorded in everything that follows" in line


def test_publishing_keeps_the_verdicts_on_other_teachers():
    from latentcomp.models.files import HISTORY

    (older, *others) = read_published(HISTORY["lab3"]).values()
    newer = older.model_copy(update={"teacher_sha256": "1" * 64})
    again = older.model_copy(update={"seed": 6001})
    assert published_with([newer], [older, *others]).count("\n") == 2 + len(others)
    lines = published_with([again], [older, newer]).splitlines()
    assert lines == [newer.model_dump_json(), again.model_dump_json()]


def test_the_headline_is_of_what_ships_or_refused(tmp_path):
    """In the file of the ladder it is the one that the result of what ships gives today."""
    results = publish.RESULT.parent
    kept = headline(results)
    assert json.loads(publish.RESULT.read_text())["headline"]["frozen"] == kept
    assert set(kept) == {"4", "8", "16"}
    for each in kept.values():
        assert set(each) >= {"retention", "low", "high", "shuffled", "floor", "phase"}
    for name in HEADLINES:
        other = json.loads((results / name).read_text())
        (tmp_path / name).write_text(json.dumps(other | {"checkpoint_sha256": "0" * 64}))
    with pytest.raises(LatentcompError, match="is of other weights than those that ship"):
        headline(tmp_path)
    (tmp_path / name).write_text((results / name).read_text())
    with pytest.raises(LatentcompError, match="of other weights or documents than one another"):
        headline(tmp_path)


def test_no_folder_of_a_machine_is_published():
    argv = [
        "/usr/lib/latentcomp/__main__.py",
        "evaluate",
        "--run",
        "/root/runs/main",
        "--seed",
        "7",
    ]
    kept = portable({"argv": argv, "seeds": {}})
    assert kept["argv"] == ["latentcomp/__main__.py", "evaluate", "--run", "runs/main", *argv[4:]]
    assert kept["seeds"] == {} and portable({}) == {"argv": []}


def test_curves_are_thin_and_end_with_the_last_step():
    curves = json.loads(publish.RESULT.read_text())["curves"]
    for trial, lines in curves.items():
        assert {tuple(sorted(line)) for line in lines} == {tuple(sorted(publish.CURVE_FIELDS))}
        steps = [line["step"] for line in lines]
        assert steps == sorted(set(steps)) and len(steps) < 60, trial


def test_a_later_stage_of_the_teacher_begins_where_the_earlier_was_judged_and_says_so(tmp_path):
    """Its phases may begin, each earlier one named as skipped; none of them counts as passed."""
    folder = locate_model("lab").folder
    (now, *_), before = weights_of(folder), earlier_stages(weights_of(folder)[0])
    assert before == tuple(weights_of(folder)[1:]) and now not in before
    lent = read_earlier(now)
    assert lent and all(one.teacher_sha256 in before for one in lent.values())
    last = max(lent)
    assert missing(last, lent) == ()
    named = require(last, lent, run=RunFolder(tmp_path))
    assert set(named) == set(range(1, last)), "what rests on them says that none was judged on it"
    passed = {n: one.model_copy(update={"status": "passed"}) for n, one in lent.items()}
    assert not Prerequisite(1, "passed").met_by(passed)
    told: list[str] = []
    tell_published(last, lent, RunFolder(tmp_path), told.append)
    assert len(told) == last - 1 and all("an earlier stage of this teacher" in one for one in told)


def weights_of(folder):
    """Weights of the model, and of the stages that it went on from, the latest first."""
    stages = json.loads((folder / "training.json").read_text())["stages"]
    inputs = [stage["provenance"]["inputs"] for stage in reversed(stages)]
    now = identify_model(ModelFiles("lab", folder, None)).weights_sha256
    return [now, *(each["after"] for each in inputs if each)]


@pytest.mark.parametrize(
    "last", [{"weights_sha256": "1" * 64}, {}], ids=["other weights", "no hash"]
)
def test_other_weights_have_no_earlier_stages(tmp_path, last):
    (tmp_path / "training.json").write_text(json.dumps({"stages": [last]}))
    assert earlier_stages("0" * 64, tmp_path) == () == earlier_stages(None, tmp_path)
    assert read_earlier("0" * 64) == {}
    (tmp_path / "training.json").unlink()
    assert earlier_stages("0" * 64, tmp_path) == ()
