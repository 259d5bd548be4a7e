"""The real commands through every gate: passed, failed, inconclusive, phase by phase.

Four minutes of one core, so these are slow tests; `.ci/run` runs them always.
"""

import re
import shutil
import sys

import pytest

from latentcomp import cli
from latentcomp.commands import ablations as _ablations  # noqa: F401  so that its names are patched
from latentcomp.commands import ladder as _ladder  # noqa: F401
from latentcomp.commands import sweep as _sweep  # noqa: F401
from latentcomp.experiment import judge as _judge  # noqa: F401
from latentcomp.experiment.history import read_history
from latentcomp.experiment.phases import PHASES
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.models import files
from latentcomp.report import write_report

from ..train import tiny
from . import script as scripted

pytestmark = pytest.mark.slow

PASSING = {
    "phase-1": 0.4,
    "phase-2": 0.55,
    "phase-3": 0.7,
    "phase-4": 0.75,
    "phase-5": 0.9,
    "phase-6": 0.88,
    "phase-8": 0.7,
    "ablation-no-time": 0.5,
    "ablation-equal-mix": 0.88,
    "ablation-no-alignment": 0.75,
}
"""Share of right answers with which every gate is passed."""
OUTCOMES = {
    # phase: (failed, inconclusive): what changes in the script of the phase
    1: ({"phase-1": 0.05}, {"phase-1": 0.145}),
    2: ({"phase-2": 0.40}, {"phase-2": 0.43}),
    3: ({"phase-3": 0.50}, {"phase-3": 0.60}),
    4: ({"phase-4": 0.30}, {"phase-4": 0.43}),
    5: ({"phase-5": 0.70}, {"phase-5": 0.80}),
    6: ({"phase-6": 0.60}, {"phase-6": 0.825}),
    7: (
        {"ablation-no-time": 0.9, "ablation-no-alignment": 0.9, "ablation-equal-mix": 0.9},
        {"ablation-no-time": 0.85, "ablation-no-alignment": 0.9, "ablation-equal-mix": 0.9},
    ),
    8: ({"phase-8": 0.15}, {"phase-8": 0.285}),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The script, installed for this module, and a tiny teacher that the program calls `lab`."""
    patch = pytest.MonkeyPatch()
    script = scripted.install(patch, sys.modules)
    teacher = tiny.save_model(tmp_path_factory.mktemp("teacher") / "tiny", blocks=4)
    patch.setitem(files.LAB_FOLDERS, "lab", teacher)
    student = tiny.save_model(tmp_path_factory.mktemp("student") / "tiny-2", blocks=2, seed=1)
    patch.setitem(files.LAB_FOLDERS, "lab-student", student)
    patch.setenv("LATENTCOMP_STATE", str(tmp_path_factory.mktemp("state")))
    yield script
    patch.undo()


def run(*arguments):
    assert cli.run([str(each) for each in arguments]) == 0, arguments


@pytest.fixture(scope="module")
def climbed(world, tmp_path_factory):
    """A run in which `latentcomp ladder` went through all eight phases, and passed."""
    folder = tmp_path_factory.mktemp("climbed") / "run"
    world.right, world.stale = dict(PASSING), {}
    run("extract", "--run", folder, "--documents", 3, "--split", "train", "--layers", "-2,-3,-4",
        "--device", "cpu", "--backend", "transformers")  # fmt: skip
    run("ladder", "--run", folder, "--through", 8, "--device", "cpu")
    return folder


def verdicts(folder):
    return {
        each.number: read_history(RunFolder(folder), each.number)[-1]
        for each in PHASES
        if read_history(RunFolder(folder), each.number)
    }


def test_the_ladder_passes_every_gate(climbed):
    found = verdicts(climbed)
    assert {number: each.status for number, each in found.items()} == dict.fromkeys(
        range(1, 9), "passed"
    ), {number: each.reason for number, each in found.items()}
    for number, each in found.items():
        assert each.counts and not each.thin and each.skipped == (), number
        assert each.gate_sha256 and each.evaluations and each.size == "laptop"
    assert {len(set(found[number].seeds)) for number in (2, 3, 5, 6, 7)} == {3}
    assert len(found[2].checkpoints) == 6 and len(found[7].checkpoints) == 12


def test_the_ladder_goes_on_and_judges_nothing_twice(climbed, world):
    before = verdicts(climbed)
    run("ladder", "--run", climbed, "--through", 8, "--device", "cpu")
    assert verdicts(climbed) == before
    assert all(len(read_history(RunFolder(climbed), n)) == 1 for n in range(1, 9))


def test_the_report_tells_all_eight(climbed):
    text = write_report(climbed).with_name("report.md").read_text()
    assert len(re.findall(r"^## Phase \d: Passed", text, re.MULTILINE)) == 8


@pytest.fixture
def fresh(climbed, tmp_path):
    """The same trainings without evaluations and verdicts."""
    folder = shutil.copytree(climbed, tmp_path / "run")
    for name in ("verdicts", "looks.jsonl", "run-id.json"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.glob("trials/*/*/evaluations"):
        shutil.rmtree(path)
    return folder


def judged(folder, number, seed):
    """Evaluate what the phase rests on, then judge it, by the commands."""
    phase = next(each for each in PHASES if each.number == number)
    names = [f"ablation-{row}" for row in scripted.ROWS] if phase.grid else [phase.recipe.name]
    reference = [each.recipe.name for each in PHASES if each.number == phase.reference]
    for name in names + reference:
        run("evaluate", "--recipe", name, "--run", folder, "--documents", scripted.DOCUMENTS,
            "--seed", seed, "--steps", phase.steps or 1, "--device", "cpu",
            "--no-judge")  # fmt: skip
    run("judge", "--phase", number, "--run", folder)
    return read_history(RunFolder(folder), number)[-1]


@pytest.mark.parametrize("number", OUTCOMES)
@pytest.mark.parametrize("outcome", ["failed", "inconclusive"])
def test_every_gate_can_fail_and_be_open(fresh, world, number, outcome):
    changes = OUTCOMES[number][outcome == "inconclusive"]
    world.right, world.stale = PASSING | changes, {}
    verdict = judged(fresh, number, 900 + number)
    assert verdict.status == outcome, verdict.reason
    assert verdict.counts, "on all that the plan asks for"


@pytest.mark.parametrize(("number", "rate"), [(3, 0.6), (6, 1.0)])
def test_stale_answers_fail_the_phases_that_limit_them(fresh, world, number, rate):
    world.right = PASSING | {f"phase-{number}": PASSING[f"phase-{number - 1}"] - 0.05}
    world.stale = {f"phase-{number}": rate}
    verdict = judged(fresh, number, 950 + number)
    assert verdict.status == "failed", verdict.reason
    assert {each.measure: each.status for each in verdict.criteria}[
        "stale_rise" if number == 3 else "stale_rate"
    ] == "failed"


def test_latents_of_another_document_that_help_close_every_gate(fresh, world):
    """The self-check: what shuffled latents give is not read from the document."""
    world.right, world.stale, world.shuffled = dict(PASSING), {}, 0.3
    try:
        verdict = judged(fresh, 4, 960)
    finally:
        world.shuffled = scripted.FLOOR
    assert verdict.status == "inconclusive" and "self-check" in verdict.reason
