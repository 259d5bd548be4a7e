"""Levers of the compressor by the real commands: `--set` trains them, checkpoints bring them back.

What each of them computes is held by tests/train; here is that a recipe can name it.
"""

import pytest
import torch
from safetensors.torch import load_file

from latentcomp.commands import evaluation
from latentcomp.compressor.config import ADDED, ModelConfig
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.evaluate import answers
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder, read_trial_record
from latentcomp.train import checkpoint
from latentcomp.train.log import read_curve
from latentcomp.train.recipe import Recipe, flat, parse_set

from ..extract.command_line import run_command

TINY = ("--steps", 2, "--batch-size", 1, "--question-tokens", 96, "--device", "cpu")
LEVERS = {
    "mass": ("model.allocation=learned_mass", "model.mass_floor=0.05"),
    "days": ("model.time_std=0.5",),
    "day-start": (
        "model.allocation=learned_mass", "model.day_tokens=1", "model.day_start=tokens",
        "model.end_norm=false", "model.mass_edges=chunk", "model.day_crowded=shared",
    ),
    "edges": ("model.allocation=learned_mass", "model.mass_edges=chunk"),
    "whole-tokens": (
        "model.allocation=learned_mass", "model.mass_kind=sigmoid", "model.mass_edges=token",
    ),
    "adapters": ("model.reader_rank=2",),
    "revise": ("model.memory=revise",),
    "residual-start": ("model.residual_start=last",),
    "sigmoid": ("model.allocation=learned_mass", "model.mass_kind=sigmoid"),
    "day-tokens": ("model.allocation=learned_mass", "model.day_tokens=2"),
    "identity": ("model.start=identity", "model.end_norm=false"),
    "concat": ("model.pooling=concat", "model.slots=4", "model.mass_edges=chunk"),
    "window": ("model.window=8",),
    "attention": ("model.mixing=1", "model.mixing_window=4"),
    "convolution": ("model.mixing=2", "model.mixing_kind=convolution"),
    "embeddings": ("layers=[0,-6,-18,-30]",),
    "embeddings-alone": ("layers=[0]", "model.residual=true"),
    "all": (
        "model.allocation=learned_mass", "model.start=identity", "model.end_norm=false",
        "model.pooling=concat", "model.window=16", "model.mixing=1", "model.day_tokens=2",
        "model.mass_edges=chunk", "model.reader_rank=3", "layers=[0,-6,-18,-30]",
        "ratios=[2,4,8,16,32]", "optimiser.kind=muon",
    ),
}  # fmt: skip


@pytest.fixture
def latentcomp(capsys, run, deep):
    """Runs a command in the run of the tiny teacher; it must end well."""
    corpus = read_corpus(run / "corpus")
    write_corpus(run / "corpus", corpus.documents, {"preset": "lab", "split": "train"})

    def made(command, *options):
        models = {"train": ["--reasoner", deep], "evaluate": ["--teacher", deep]}
        ran = run_command(capsys, command, "--run", run, *models.get(command, []), *options)
        assert ran.code == 0, ran.err
        return ran.out

    return made


def settings_of(lever):
    return [part for text in LEVERS[lever] for part in ("--set", text)]


# All of them at once in every run; each alone beside the ladder.
@pytest.mark.parametrize(
    "lever",
    [pytest.param(each, marks=() if each == "all" else pytest.mark.slow) for each in LEVERS],
)
def test_a_lever_is_trained_by_its_name(latentcomp, run, lever):
    latentcomp("train", "--phase", 4, "--skip-order", *TINY, *settings_of(lever), "--name", lever)
    trial = RunFolder(run).trial(lever, 0)
    assert [line["step"] for line in read_curve(trial.path)] == [1, 2]
    opened = checkpoint.open_checkpoint(trial.checkpoint)
    given = parse_set(list(LEVERS[lever]))
    recorded, expected = flat(read_trial_record(trial).recipe), flat(phase(4).recipe.changed(given))
    assert {field: recorded[field] for field in given} == {
        field: expected[field] for field in given
    }
    model = opened.model()
    stored = load_file(opened.folder / checkpoint.MODEL)
    assert model.state_dict().keys() == stored.keys()
    fresh = model.spec.build()
    assert any(
        not torch.equal(weight, fresh.state_dict()[name])
        for name, weight in model.state_dict().items()
    )
    if lever.startswith("embeddings"):
        assert opened.state.spec.layers[0].blocks_completed == 0
        assert not any("embed" in name for name in stored), "no table: the teacher has it"


@pytest.mark.slow
def test_one_checkpoint_serves_every_ratio_and_says_which_it_was_not_trained_for(
    latentcomp, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(answers, "answer_limit", lambda lm, documents: 1)
    monkeypatch.setattr(evaluation, "answer_limit", lambda lm, documents: 1)
    options = ("--recipe", "all", "--documents", 2, "--device", "cpu")
    latentcomp("train", "--phase", 4, "--skip-order", *TINY, *settings_of("all"), "--name", "all")
    trained = (2.0, 4.0, 8.0, 16.0, 32.0)
    ratios = (*trained, 6.0)
    asked = [part for ratio in ratios for part in ("--ratio", ratio)]
    latentcomp("evaluate", *options, *asked, "--json", tmp_path / "at.json")
    for ratio in ratios:
        beside = "" if ratio == ratios[0] else f"_{ratio:g}x"
        result = EvaluationResult.read(tmp_path / f"at{beside}.json")
        assert (result.ratio, result.trained_ratios) == (ratio, trained)
        assert ratio * 0.9 < result.tokens_per_latent <= ratio
        notes = [note for note in result.notes if "not trained for" in note]
        assert bool(notes) == (ratio not in trained)
    assert notes == [
        "measured at 6x, which these weights were not trained for (2x, 4x, 8x, 16x, 32x)"
    ]


def test_ratios_are_drawn_step_by_step(latentcomp, run):
    many = ("--steps", 12, "--batch-size", 1, "--question-tokens", 96, "--device", "cpu")
    latentcomp("train", "--phase", 1, *many, "--set", "ratios=[2,4,8,16,32]", "--name", "drawn")
    drawn = {line["ratio"] for line in read_curve(RunFolder(run).trial("drawn", 0).path)}
    assert len(drawn) >= 4 and drawn <= {2.0, 4.0, 8.0, 16.0, 32.0}


PLAIN = {f"model.{name}": ModelConfig.model_fields[name].default for name in ADDED}
"""Every field that came after the first recipes, at what it was when there was none."""


def test_a_recipe_of_before_the_levers_keeps_its_hash():
    """Looks at held-out documents are counted by it."""
    recipe = phase(4).recipe.changed(PLAIN)
    assert recipe.sha256 == "2b4ce4d6919f0c0be14ff7bbecdc375b8465dbd8f31ee66adf80edddedfebfef"
    record = recipe.model_dump(mode="json")
    for name in ADDED:
        del record["model"][name]
    assert Recipe.model_validate(record) == recipe


OTHERS = {
    "allocation": "learned_mass", "mass_floor": 0.1, "start": "identity", "end_norm": False,
    "pooling": "concat", "slots": 2, "window": 0, "mixing": 1, "mixing_kind": "convolution",
    "mixing_window": 4, "memory": "append", "time_std": 0.5,
    "day_tokens": 2, "mass_edges": "chunk", "day_start": "tokens", "mass_kind": "sigmoid",
    "day_crowded": "shared",
    "reader_rank": 4, "residual_start": "last",
}  # fmt: skip


def test_every_lever_changes_the_hash_and_can_be_an_ablation():
    assert OTHERS.keys() == set(ADDED) <= ModelConfig.model_fields.keys()
    recipe = phase(4).recipe.changed(PLAIN)
    hashes = {recipe.changed({f"model.{name}": v}).sha256 for name, v in OTHERS.items()}
    assert len(hashes | {recipe.sha256}) == len(ADDED) + 1


@pytest.mark.parametrize(
    "wrong",
    ["model.allocation=mass", "model.mass_floor=1", "model.window=-1", "model.mixing_kind=conv",
     "model.slots=0", "model.start=zero", "model.time_std=0",
     "model.day_tokens=6", "model.mass_edges=word",
     "model.day_start=word", "model.allocation=equal", "model.mass_kind=hard",
     "model.day_crowded=half", "model.residual_start=none"],
)  # fmt: skip
def test_a_wrong_value_is_one_line(capsys, run, deep, wrong):
    ran = run_command(
        capsys, "train", "--phase", 4, "--skip-order", "--run", run, "--reasoner", deep,
        *TINY, "--set", wrong,
    )  # fmt: skip
    assert ran.code == 2
    assert wrong.split("=")[0] in ran.error and "Traceback" not in ran.err


def test_mean_pooling_refuses_levers_that_it_does_not_have(capsys, run, deep):
    ran = run_command(
        capsys, "train", "--phase", 1, "--run", run, "--reasoner", deep, *TINY,
        "--set", "model.kind=mean_pool", "--set", "model.allocation=equal",
        "--set", "model.window=4",
    )  # fmt: skip
    assert ran.code == 2 and "it has no window" in ran.error and "--set" in ran.error


def test_a_student_needs_embeddings_in_the_store(capsys, run, deep, tmp_path):
    """The table is the teacher's, and a student has another."""
    from ..train import tiny

    student = tiny.save_model(tmp_path / "student", blocks=2, seed=1)
    ran = run_command(
        capsys, "train", "--phase", 8, "--skip-order", "--run", run, "--reasoner", student, *TINY,
        "--set", "objectives.alignment=null", "--set", "layers=[0,-6]",
    )  # fmt: skip
    assert ran.code == 2 and "no layer after 0 blocks" in ran.error
