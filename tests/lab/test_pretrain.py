"""A training from nothing on the CPU, and a deeper one that goes on from it."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

from latentcomp.corpus.chronicle4.chronicle import chronicle
from latentcomp.corpus.chronicle4.presets import preset
from latentcomp.evaluate.arms.text import ceiling
from latentcomp.lab import pretrain as lab
from latentcomp.lab.engine import Engine
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.world import generator_of
from latentcomp.reasoner.generate import greedy_answers

SIZES = ["--hidden", "32", "--heads", "2", "--feed-forward", "32"]


def train(folder, *options):
    """A training of two steps by its command line."""
    with pytest.MonkeyPatch.context() as patch:
        fixed = ["--model", "teacher", "--steps", "2", "--tokens-per-step", "2688", *SIZES]
        fixed += ["--workers", "0", "--no-compile", "--no-capture", "--out", str(folder)]
        patch.setattr(sys, "argv", ["pretrain", *fixed, *options])
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        lab.main()
    return folder


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    return train(tmp_path_factory.mktemp("lab") / "trunk", "--blocks", "2", "--seed", "7")


@pytest.fixture(scope="module")
def grown(tmp_path_factory, trunk):
    """Four blocks after two, with a seed of its own."""
    options = ["--blocks", "4", "--after", str(trunk), "--syllabus", "hard", "--seed", "8"]
    folder = tmp_path_factory.mktemp("lab") / "grown"
    return train(folder, *options, "--matrix-rate", "2e-3", "--lessons", "long")


def test_what_pretraining_leaves_is_a_model_of_generator_4(trunk):
    lm = load_causal_lm(str(trunk))
    assert lm.identity.blocks == 2
    assert lm.prompt.ask("Who?") == "\nQuestion: Who?\nAnswer:"
    assert lm.prompt.head == "<|endoftext|>"
    assert lm.prompt.instead("Karo room 482") == "Notes: Karo room 482"
    assert generator_of(trunk) == 4
    document = chronicle(preset("lab"), "test", 1, 0).dated_document()
    asked = [question.text for question in document.questions]
    (answers,) = greedy_answers(lm, ceiling(lm, [document]), [asked])
    assert len(answers) == len(asked)
    assert not [*trunk.glob("*.bin"), *trunk.glob("*.pt")]


def test_the_record_of_a_pretraining(trunk):
    (stage,) = json.loads((trunk / "training.json").read_text())["stages"]
    assert stage["plan"]["seed"] == 7
    assert stage["plan"]["shape"]["blocks"] == 2
    assert stage["plan"]["matrix_rate"] is None
    assert (stage["outcome"]["steps"], stage["outcome"]["processes"]) == (2, 1)
    assert stage["outcome"]["tokens"] == 2 * 2688, "what the batches held"
    assert stage["provenance"]["seeds"] == {"pretrain": 7}
    lines = [json.loads(line) for line in (trunk / "log.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 1


def test_a_stage_goes_on_from_the_one_before(trunk, grown):
    """With its weights, in more blocks; both stages are on record."""
    stages = json.loads((grown / "training.json").read_text())["stages"]
    assert [stage["plan"]["shape"]["blocks"] for stage in stages] == [2, 4]
    assert stages[1]["plan"]["after"] == str(trunk)
    assert (stages[1]["plan"]["lessons"], stages[1]["plan"]["matrix_rate"]) == ("long", 2e-3)
    before, after = (load_file(folder / "model.safetensors") for folder in (trunk, grown))
    for number in range(2):
        for part in ("mlp.up_proj", "self_attn.q_proj"):
            old = before[f"model.layers.{number}.{part}.weight"].float()
            new = after[f"model.layers.{2 * number + 1}.{part}.weight"].float()
            # Two steps of a warm-up move a weight by little: this is the block it came from.
            assert (new - old).norm() < 0.05 * old.norm()
            other = after[f"model.layers.{2 * number}.{part}.weight"].float()
            assert (other - old).norm() > 0.5 * old.norm()


def vocabulary(folder):
    return load_causal_lm(str(folder)).tokenizer.get_vocab()


def test_a_stage_has_the_tokens_of_the_one_before(trunk, grown, tmp_path):
    """Whatever its seed; and those of a stage before that had others, whose weights it takes."""
    assert vocabulary(trunk) == vocabulary(grown)
    other = tmp_path / "other"
    shutil.copytree(trunk, other)
    content = json.loads((other / "tokenizer.json").read_text())
    words = content["model"]["vocab"]
    words["Ġmentor"], words["Ġpupil"] = words["Ġpupil"], words["Ġmentor"]
    (other / "tokenizer.json").write_text(json.dumps(content))
    for way in ("--after", "--tokenizer"):
        made = train(tmp_path / way.strip("-"), "--blocks", "2", way, str(other))
        assert vocabulary(made) == words != vocabulary(trunk)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--blocks", "3"], "its 2 blocks cannot be spread evenly over 3"),
        (["--blocks", "4", "--hidden", "64"], "train a model of the same width"),
    ],
)
def test_a_stage_that_does_not_fit_ends_in_one_line(trunk, tmp_path, capsys, options, says):
    with pytest.raises(SystemExit) as ended:
        train(tmp_path / "out", *options, "--after", str(trunk))
    assert ended.value.code == 2
    error = capsys.readouterr().err.strip()
    assert says in error and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_a_stage_has_no_second_tokenizer(trunk, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        train(tmp_path / "out", "--after", str(trunk), "--tokenizer", str(trunk))
    assert ended.value.code == 2
    assert "leave --tokenizer out" in capsys.readouterr().err


def test_a_stage_before_that_is_not_there_ends_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        train(tmp_path / "out", "--after", str(tmp_path / "nowhere"))
    assert ended.value.code == 2
    assert "nowhere/training.json: no record of a training" in capsys.readouterr().err


def test_the_schedule_warms_up_stays_and_falls():
    steps = [lab._lr_factor(step, 0.0) for step in (0, lab.WARMUP_STEPS // 2, lab.WARMUP_STEPS)]
    assert steps[0] < steps[1] < steps[2] == 1.0
    late = [lab._lr_factor(10**6, progress) for progress in (0.49, 0.75, 0.999)]
    assert late == pytest.approx([1.0, 0.5, 0.01])


def test_a_loss_that_is_no_number_ends_the_training(tmp_path, monkeypatch):
    nan = torch.tensor(float("nan"))
    monkeypatch.setattr(Engine, "step", lambda self, batch, factor: (nan, torch.ones(1)))
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        train(tmp_path / "out", "--blocks", "2")
    assert not (tmp_path / "out" / "config.json").exists()
