"""What version 0.1 left: its shipped checkpoint and its run folders are read, to the same bits.

`golden/` was made by `golden/make_0_1.py` with the code of 3dc338e: a run folder whose training
was ended after step 3 of 4 and then evaluated on two documents, outputs of its checkpoint and of
the shipped one, and the hash of the weights that the whole training gave.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from latentcomp.commands import evaluation
from latentcomp.commands.batches import BatchSettings
from latentcomp.commands.evaluation import EvaluationRequest, evaluate_trials
from latentcomp.commands.trials import TrialRequest, train_trial
from latentcomp.common.errors import CheckpointError
from latentcomp.common.provenance import describe_hardware
from latentcomp.compressor.config import ADDED, ModelConfig
from latentcomp.compressor.model import compress
from latentcomp.compressor.states import States
from latentcomp.evaluate import answers
from latentcomp.evaluate.held_out import Source
from latentcomp.experiment.eligibility import is_finished
from latentcomp.experiment.evidence import load_evaluation
from latentcomp.experiment.history import read_history, standing
from latentcomp.experiment.lineage import Lineage
from latentcomp.experiment.order import outdated, standing_verdicts
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder, read_trial_record
from latentcomp.experiment.shipped import OLDER
from latentcomp.models.files import LAB_FOLDERS
from latentcomp.report import write_report
from latentcomp.train import checkpoint
from latentcomp.train.log import read_curve
from latentcomp.train.record import TrialRecord

GOLDEN = Path(__file__).parent / "golden"
OLD = GOLDEN / "run-0.1"
OUTPUTS = ("outputs.safetensors", "outputs-epyc.safetensors")
"""The same by two makes of CPU: its library of matrix products rounds for each in another way."""
SEED = 3
"""Training seed of the old run."""
PLAIN = {f"model.{name}": ModelConfig.model_fields[name].default for name in ADDED}
"""Every field that came after these records, at what it was when there was none."""


def meta_of(name):
    with safe_open(GOLDEN / name, "pt") as file:
        return file.metadata()


def same_machine():
    """The golden file of a CPU that rounds as this one, instruction by instruction, or None."""
    hardware = describe_hardware()
    here = (hardware.cpu, torch.backends.cpu.get_cpu_capability(), torch.__version__)
    for name in OUTPUTS:
        meta = meta_of(name)
        if here == (meta["cpu"], meta["capability"], meta["torch"]):
            return name
    return None


def golden_meta():
    return meta_of(same_machine() or OUTPUTS[0])


def states_of(layers, width):
    """Two documents of 40 and 23 tokens, as golden/make_0_1.py has them."""
    generator = torch.Generator().manual_seed(16)
    tokens = torch.tensor([40, 23])
    mask = torch.arange(40)[None] < tokens[:, None]
    h = torch.randn(2, 40, layers, width, generator=generator) * mask[..., None, None]
    chunk = torch.arange(40).expand(2, -1) // 10 * mask
    return States(h, mask, chunk, chunk.clamp(max=2), 17 * chunk)


@pytest.mark.parametrize(
    ("name", "root"),
    [("shipped", OLDER / "phase-4"), ("run-0.1", OLD / "phases" / "4" / "checkpoint")],
)
def test_an_old_checkpoint_gives_the_same_bits(name, root):
    model = checkpoint.open_checkpoint(root).model().eval()
    spec = model.spec
    with torch.no_grad():
        made = compress(model, states_of(len(spec.layers), spec.teacher.hidden_size), 4)
    golden = load_file(GOLDEN / (same_machine() or OUTPUTS[0]))
    for key, value in (("x", made.x_BKR), ("z", made.z_BKE), ("position", made.position_BK)):
        assert value is not None
        expected = golden[f"{name}/{key}"]
        if same_machine():
            assert torch.equal(value, expected), key
        else:
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)
    if name == "shipped" and same_machine():
        sha256 = hashlib.sha256(made.x_BKR.numpy().tobytes()).hexdigest()
        assert sha256 == golden_meta()["shipped_x_sha256"]


@pytest.mark.parametrize("root", [OLDER / "phase-4", OLD / "phases" / "4" / "checkpoint"])
def test_every_tensor_of_an_old_checkpoint_is_loaded_as_it_lies_there(root):
    opened = checkpoint.open_checkpoint(root)
    stored = load_file(opened.folder / checkpoint.MODEL)
    loaded = opened.model().state_dict()
    assert len(loaded) == len(stored)
    by_bytes = sorted(tensor.numpy().tobytes() for tensor in stored.values())
    assert sorted(tensor.numpy().tobytes() for tensor in loaded.values()) == by_bytes


def test_the_shipped_checkpoint_says_what_it_is():
    state = checkpoint.open_checkpoint(OLDER / "phase-4").state
    assert (state.step, state.finished, state.format_version) == (560, True, 1)
    assert state.spec.config == ModelConfig(
        kind="perceiver",
        width=256,
        heads=4,
        blocks=3,
        mix="learned",
        queries="local_mean",
        residual=True,
        time=True,
        latent_width=128,
        projection="learned",
        scale="free",
        scale_multiple=16.0,
        positions="tokens",
    )
    assert [layer.blocks_completed for layer in state.spec.layers] == [19, 31, 43]
    trial = state.known_trial
    assert (trial.recipe.name, trial.seed, trial.skipped) == ("phase-4", 0, (1, 2, 3))
    differences = trial.recipe.differences(phase(4).recipe)
    later = ("data.", "optimiser.", "budget.", *PLAIN)
    assert all(field.startswith(later) for field in differences), (
        "but for what came later, what is compressed, from what and how, is phase 4 of today"
    )
    assert (trial.recipe.data.source, trial.recipe.data.batch_size) == ("live", 256)
    assert trial.recipe.data.question_tokens == 255
    assert (trial.recipe.budget.steps, trial.recipe.budget.seconds) == (None, 214.0)
    optimiser = trial.recipe.optimiser
    assert (optimiser.kind, optimiser.lr, optimiser.warmup_steps) == ("adamw", 0.0015, 60)
    assert (optimiser.decay_start, optimiser.final_lr_fraction) == (0.6, 0.02)
    assert (optimiser.weight_decay, optimiser.clip_norm) == (0.01, 1.0)
    assert trial.data["world"] == 2
    assert trial.data["generator"] == 3, "what a live source was of before it said so"
    assert trial.start is not None and (trial.start.origin, trial.start.seed) == ("fresh", 0)
    source = Source(sha256="e" * 64, split="test", generator=3)
    assert Lineage.of(trial, Path("nowhere"), own=False).doubt(source) == ""


@pytest.fixture
def old_run(tmp_path):
    """A copy of the old run folder."""
    return RunFolder(shutil.copytree(OLD, tmp_path / "run"))


@pytest.fixture(scope="module")
def old_teacher(tmp_path_factory):
    """Its teacher, with the tokenizer of the lab."""
    folder = shutil.copytree(GOLDEN / "teacher-0.1", tmp_path_factory.mktemp("old") / "teacher")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(LAB_FOLDERS["lab3"] / name, folder / name)
    return folder


def test_an_old_run_folder_is_read_as_a_trial(old_run):
    (trial,) = old_run.trials()
    assert (str(trial), trial.legacy) == (f"phase-4/seed-{SEED}", True)
    assert trial == old_run.trial("phase-4", SEED)
    assert trial.path == old_run.path / "phases" / "4"
    assert trial.record.name == "run.json" and trial.curve.is_file()
    assert [folder.path for folder in trial.evaluations()] == [trial.path]
    assert old_run.trial("phase-4", 0).path == old_run.path / "trials" / "phase-4" / "seed-0"
    record = read_trial_record(trial)
    assert record == TrialRecord.model_validate_json(
        json.dumps(_without(json.loads(trial.record.read_bytes()), "provenance", "sessions"))
    )
    assert (record.seed, record.skipped, record.recipe.budget.steps) == (SEED, (1, 2, 3), 4)


def _without(record, *names):
    return {key: value for key, value in record.items() if key not in names}


def test_an_old_run_folder_that_lost_its_record_is_read_by_its_checkpoint(old_run):
    (old_run.path / "phases" / "4" / "run.json").unlink()
    assert [str(trial) for trial in old_run.trials()] == [f"phase-4/seed-{SEED}"]


def test_a_new_trial_of_the_same_seed_takes_the_place_of_an_old_one(old_run):
    (old_run.path / "trials" / "phase-4" / f"seed-{SEED}").mkdir(parents=True)
    (trial,) = old_run.trials()
    assert not trial.legacy and trial == old_run.trial("phase-4", SEED)


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def request_of(run, teacher, **changes):
    """The old training in the options of today."""
    fields = {
        "budget.steps": 4,
        "data.batch_size": 1,
        "data.question_tokens": 96,
        "optimiser.lr": 1e-3,
        "optimiser.warmup_steps": 1,
    }
    given: dict[str, Any] = {
        "seed": SEED,
        "reasoner": str(teacher),
        "device": "cpu",
        "skip_order": True,
        "batches": BatchSettings(workers=0),
        "save_every": 2,
    }
    return TrialRequest(run.path, phase(4).recipe, fields | PLAIN | changes, **given)


def test_an_old_training_goes_on_where_it_stopped_to_the_same_weights(old_run, old_teacher):
    steps = []
    trial = train_trial(
        request_of(old_run, old_teacher), lambda figures: steps.append(figures["step"])
    )
    assert steps == [3, 4] and trial.legacy
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert (state.step, state.finished, state.format_version) == (4, True, 2)
    assert [line["step"] for line in read_curve(trial.path)] == [1, 2, 3, 4]
    if same_machine():
        assert state.sha256[checkpoint.MODEL] != golden_meta()["whole_sha256"], (
            "tensors have other names by now"
        )
        assert weights_by_old_names(trial.checkpoint) == golden_meta()["whole_sha256"]


def weights_by_old_names(root):
    """SHA-256 of the weights as version 0.1 would have written them."""
    from safetensors.torch import save

    from latentcomp.train.legacy import TENSORS

    tensors = load_file(checkpoint.open_checkpoint(root).folder / checkpoint.MODEL)
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in TENSORS.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    return hashlib.sha256(save(renamed)).hexdigest()


def test_an_old_training_is_refused_where_the_recipe_differs(old_run, old_teacher):
    before = files_of(old_run.path)
    with pytest.raises(CheckpointError, match=r"recipe\.optimiser\.lr was 0\.001, now 0\.5"):
        train_trial(request_of(old_run, old_teacher, **{"optimiser.lr": 0.5}))
    assert files_of(old_run.path) == before


def test_an_old_evaluation_is_scored_again(old_run):
    (trial,) = old_run.trials()
    (folder,) = trial.evaluations()
    measured = load_evaluation(trial, folder)
    assert measured.remarks == (), "its documents were had again, and its figures are the same"
    assert (measured.result.documents, measured.result.questions) == (2, 39)
    assert measured.state is not None and measured.state.step == 2
    assert not is_finished(measured.state)


def test_an_old_history_is_read_and_says_what_it_was_on(old_run):
    (verdict,) = read_history(old_run, 4)
    assert (verdict.status, verdict.thin, verdict.skipped) == ("inconclusive", True, (1, 2, 3))
    assert verdict.gate_sha256 is None and verdict.checkpoints == {}
    assert outdated(old_run, standing((verdict,))) == ""
    lines: list[str] = []
    assert standing_verdicts(old_run, None, lines.append) == {}, "phase 4 has another recipe now"
    (line,) = lines
    assert "phase-4 of the catalogue: model.residual_start is even, there first" in line


def test_an_old_verdict_does_not_outlive_its_weights(old_run, old_teacher):
    train_trial(request_of(old_run, old_teacher))
    (verdict,) = read_history(old_run, 4)
    assert "it is on weights" in outdated(old_run, verdict)


def test_the_report_reads_an_old_run(old_run):
    page = write_report(old_run.path)
    text = page.with_name("report.md").read_text()
    assert "## Phase 4: No verdict" in text
    assert "A verdict of this phase, inconclusive, unlocks nothing any more" in text
    assert "2 held-out documents, seed 7, 39 questions." in text
    assert "3 steps, 3 documents" in text
    assert "was changed after it was written" not in text


def test_a_new_evaluation_of_an_old_trial_overwrites_nothing(old_run, old_teacher, monkeypatch):
    monkeypatch.setattr(answers, "answer_limit", lambda lm, documents: 1)
    monkeypatch.setattr(evaluation, "answer_limit", lambda lm, documents: 1)
    before = files_of(old_run.path)
    teacher = str(old_teacher)
    request = EvaluationRequest(
        old_run.path,
        "phase-4",
        documents=2,
        seed=8,
        teacher=teacher,
        reasoner=teacher,
        device="cpu",
    )
    (result,) = evaluate_trials(request)
    assert (result.seed, result.training_seeds) == (8, (SEED,))
    (trial,) = old_run.trials()
    assert len(trial.evaluations()) == 2
    assert files_of(old_run.path).items() >= before.items()


def test_an_old_checkpoint_whose_end_is_not_recorded_is_not_taken_for_finished():
    """Version 0.1 guessed it from the step, where there was a budget of seconds."""
    state = checkpoint.open_checkpoint(OLDER / "phase-4").state
    assert not is_finished(state.model_copy(update={"finished": None}))
