"""A teacher of one's own, from extraction to report, without naming it twice; and its limits."""

import json
import re
import shlex

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from latentcomp.experiment.run_folder import RunFolder, read_trial_record
from latentcomp.train.checkpoint import open_checkpoint

from ..extract.command_line import contents, run_command
from ..train import tiny

SHORT = ("--set", "data.question_tokens=64", "--steps", "1", "--batch-size", "1")


def save_gpt2(folder, blocks, positions=1024):
    config = GPT2Config(
        vocab_size=1024, n_layer=blocks, n_embd=16, n_head=2, n_positions=positions,
        bos_token_id=0, eos_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():  # whatever was read, the same few tokens are likely: it tells nothing
        model.transformer.ln_f.weight.mul_(0.1)
    model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def suggested(text):
    """The command that a message ends with."""
    return shlex.split(re.findall(r"now `latentcomp ([^`]+)`", text)[-1])


def story(tmp_path, count=2):
    """Short documents in one's own file, with one question each."""
    lines = [
        {
            "document_id": f"d{i}",
            "chunks": [{"text": f"Day {12 + i}. Ana moved to Corvo {i}.", "day": 12 + i}],
            "questions": [{"question_id": f"q{i}", "family": "fact", "text": "Where is Ana?",
                           "answer": f"Corvo {i}"}],
        }
        for i in range(count)
    ]  # fmt: skip
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_suggested_commands_do_as_they_stand_with_an_own_teacher(capsys, tmp_path):
    """Twelve blocks, own layers, no `.layers`: evaluate failed twice before it was told all."""
    teacher, run = save_gpt2(tmp_path / "gpt2-12", 12), tmp_path / "run"
    ran = run_command(
        capsys, "extract", "--teacher", teacher, "--run", run, "--layers=-3,-5",
        "--corpus", story(tmp_path),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    train = suggested(ran.out)
    assert train[:3] == ["train", "--recipe", "phase-1"] and "--layers" in train
    ran = run_command(capsys, *train, *SHORT, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "hardly reads these documents" in ran.err, "it is random, which is said before"
    evaluate = suggested(ran.out)
    assert "--teacher" not in evaluate and "--reasoner" not in evaluate
    others = tmp_path / "others.jsonl"
    text = story(tmp_path).read_text()
    for old, new in (('"d0', '"e0'), ('"d1', '"e1'), ("Corvo", "Oslar")):
        text = text.replace(old, new)
    others.write_text(text)
    ran = run_command(capsys, *evaluate, "--corpus", others, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "self-check holds" not in ran.out and "helps with no question" in ran.out
    report = suggested(ran.out)
    assert report[0] == "report" and run_command(capsys, *report).code == 0
    record = read_trial_record(RunFolder(run).trial("phase-1", 0))
    assert record.dtype == "float32" and record.recipe.layers == (-3, -5)


@pytest.mark.slow
def test_precision_is_recorded_and_resumed(capsys, tmp_path):
    teacher, run = save_gpt2(tmp_path / "gpt2-12", 12), tmp_path / "run"
    corpus = story(tmp_path)
    run_command(capsys, "extract", "--teacher", teacher, "--run", run, "--layers=-6",
                "--corpus", corpus)  # fmt: skip
    line = ("train", "--phase", "1", "--layers=-6", "--run", run, *SHORT, "--device", "cpu")
    assert run_command(capsys, *line, "--dtype", "bfloat16").code == 0
    state = open_checkpoint(RunFolder(run).trial("phase-1", 0).checkpoint).state
    assert state.known_trial.dtype == "bfloat16"
    assert run_command(capsys, *line).code == 0, "it goes on as it began"
    ran = run_command(capsys, *line, "--dtype", "float32")
    assert ran.code == 2 and "dtype was bfloat16, now float32" in ran.err


def test_layers_that_a_teacher_lacks_are_named_with_those_of_the_store(capsys, tmp_path):
    teacher, run = save_gpt2(tmp_path / "gpt2-12", 12), tmp_path / "run"
    run_command(capsys, "extract", "--teacher", teacher, "--run", run, "--layers=-3,-5",
                "--corpus", story(tmp_path))  # fmt: skip
    before = contents(run)
    error = run_command(
        capsys, "train", "--phase", "2", "--skip-order", "--run", run, "--device", "cpu"
    ).error
    assert "the teacher has 12 blocks" in error and "the store holds -3,-5; give --layers" in error
    assert contents(run) == before


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_a_document_beyond_the_context_is_refused_before_anything_is_written(
    capsys, tmp_path, command
):
    """Learned positions ended in a traceback, rotary ones read on without a word."""
    teacher, run = save_gpt2(tmp_path / "short", 8, positions=48), tmp_path / "run"
    corpus = story(tmp_path)
    tokens = [
        len(tiny.tokenizer()(text)["input_ids"]) for text in ("Day 12. Ana moved to Corvo 0.",)
    ]
    assert max(tokens) < 48
    run_command(capsys, "extract", "--teacher", teacher, "--run", run, "--layers=-6",
                "--corpus", corpus)  # fmt: skip
    long = tmp_path / "long.jsonl"
    text = json.loads(corpus.read_text().splitlines()[0])
    text["questions"][0]["text"] = "Where is Ana now, after all that she went through? " * 2
    long.write_text(json.dumps(text) + "\n" + corpus.read_text().splitlines()[1] + "\n")
    if command == "evaluate":
        error = run_command(
            capsys, "evaluate", "--teacher-only", "--run", run, "--corpus", long, "--device", "cpu"
        ).error
        assert "documents are longer than 'short' reads at once, 48 tokens" in error
        return
    other = tmp_path / "other"
    run_command(capsys, "extract", "--teacher", teacher, "--run", other, "--layers=-6",
                "--corpus", long)  # fmt: skip
    before = contents(other)
    error = run_command(
        capsys, "train", "--phase", "4", "--skip-order", "--layers=-6", "--run", other,
        "--set", "data.question_tokens=512", "--device", "cpu",
    ).error  # fmt: skip
    assert "'short' reads at most 48" in error and contents(other) == before
