"""`latentcomp compress` and `latentcomp ask`: files, answers, and what is refused."""

from pathlib import Path

import pytest
import torch

from latentcomp.api import Compressor, Latents
from latentcomp.api.retrieval import in_parts, retrieved
from latentcomp.commands.given_documents import given_documents
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.generators import LAB_GENERATOR
from latentcomp.corpus.records import Chunk, Document
from latentcomp.evaluate.arms.retrieval import bm25
from latentcomp.evaluate.bench import ArmInputs
from latentcomp.models.loading import load_causal_lm
from latentcomp.reasoner.generate import Prefix

from ..api.tiny_api import write_trial
from ..evaluate.tiny_suite import bench
from ..extract.command_line import run_command
from ..train import tiny


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A teacher, a trial and a corpus."""
    folder = tmp_path_factory.mktemp("home")
    tiny.save_model(folder / "teacher", 4)
    write_trial(folder / "run", load_causal_lm(str(folder / "teacher")))
    write_corpus(folder / "corpus", tiny.documents(2, split="test"), {})
    (folder / "notes.txt").write_text("Day 3: Ann lives in Rome.\nDay 9: Ann moved to Oslo.\n")
    return folder


def models(home, trial="seed-0"):
    """Options that name the models."""
    run = home / "run" / "trials" / "phase-4" / trial
    return ["--compressor", run, "--teacher", home / "teacher", "--device", "cpu"]


def test_latents_are_written_and_asked(capsys, home, tmp_path):
    out = tmp_path / "c.latents"
    made = run_command(capsys, "compress", home / "corpus", "--out", out, *models(home))
    assert f"{out}: 2 documents, " in made.out and "bytes of latents for" in made.out
    latents = Latents.load(out)
    trial = home / "run" / "trials" / "phase-4" / "seed-0"
    assert latents.record.compressor_sha256 == Compressor.from_pretrained(trial).sha256
    live = run_command(capsys, "ask", home / "corpus", "--most", 2, *models(home))
    kept = run_command(capsys, "ask", home / "corpus", "--most", 2, "--latents", out, *models(home))
    assert kept.code == 0 and kept.out == live.out
    for label in ("its latents", "the full text", "retrieval, as many tokens", "no document"):
        assert live.out.count(label) == 2


def test_a_text_with_questions_of_ones_own(capsys, home):
    given = ["ask", home / "notes.txt", "Where does Ann live?", "Who moved?", *models(home)]
    ran = run_command(capsys, *given, "--answer-tokens", 3)
    assert ran.out.count("its latents") == 2 and "[right]" not in ran.out
    assert "cut: give more --answer-tokens" in ran.out


def test_another_ratio_is_said(capsys, home, tmp_path):
    given = ["compress", home / "notes.txt", "-o", tmp_path / "l", "--ratio", 8, *models(home)]
    assert "note: measured at 8x, which these weights were" in run_command(capsys, *given).out


def test_stale_and_foreign_latents_are_refused(capsys, home, tmp_path):
    out, notes = tmp_path / "l", tmp_path / "notes.txt"
    notes.write_text((home / "notes.txt").read_text())
    assert run_command(capsys, "compress", notes, "-o", out, *models(home)).code == 0
    question = ["ask", notes, "Where?", "--latents", out]
    write_trial(home / "run", load_causal_lm(str(home / "teacher")), seed=1)
    error = run_command(capsys, *question, *models(home, "seed-1")).error
    assert "made by another compressor" in error and "give --compressor" in error
    notes.write_text(notes.read_text().replace("Oslo", "Bern"))
    error = run_command(capsys, *question, *models(home)).error
    assert "'notes.txt' was changed since its latents were made" in error


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["ask", "{home}/notes.txt"], "has no questions of its own; give one"),
        (["ask", "{home}/gone.txt", "Who?"], "cannot be read (No such file"),
        (["ask", "{home}/corpus", "--document", "x"], "no document 'x' among 2; the first is"),
        (["ask", "{home}/notes.txt", "Who?", "--latents", "{home}/notes.txt"], "as latents"),
        (["compress", "{home}/notes.txt", "-o", "{home}/notes.txt"], "it is there already"),
        (["compress", "{home}/notes.txt"], "Missing option"),
    ],
)
def test_what_is_refused(capsys, home, given, says):
    line = [part.format(home=home) for part in given]
    assert says in run_command(capsys, *line, *models(home)).error


def test_retrieval_is_that_of_an_evaluation(home):
    """A document of several chunks: the very prefixes of the arm `bm25`."""
    lm = load_causal_lm(str(home / "teacher"))
    (document,) = tiny.documents(1, split="test")
    texts = [question.text for question in document.questions]
    inputs = ArmInputs(bench(lm), [document], [Prefix.counted(torch.zeros(41, 16))], 0)
    for one, other in zip(retrieved(lm, document, texts, 40), bm25(inputs), strict=True):
        assert torch.equal(one.x_PD, other.x_PD)


def test_a_text_is_searched_sentence_by_sentence():
    document = Document("d", (Chunk(0, "Ann lives in Rome. It rained.\nAnn moved to Oslo!"),))
    parts = [chunk.text for chunk in in_parts(document).chunks]
    assert parts == ["Ann lives in Rome.", "It rained.", "Ann moved to Oslo!"]
    dated = tiny.documents(1)[0]
    assert in_parts(dated) is dated


@pytest.fixture
def two_trials(home, tmp_path):
    """A run with two trials of one recipe."""
    lm = load_causal_lm(str(home / "teacher"))
    for seed in (0, 1):
        write_trial(tmp_path / "run", lm, seed=seed)
    return tmp_path / "run"


def test_a_run_names_the_compressor_as_its_folder_would(capsys, home, two_trials, tmp_path):
    common = ["--teacher", home / "teacher", "--device", "cpu"]
    one = ["--run", home / "run", "--training-seed", 0]
    trial = home / "run" / "trials" / "phase-4" / "seed-0"
    made = run_command(capsys, "compress", home / "corpus", "-o", tmp_path / "a", *one, *common)
    assert made.code == 0, made.err
    assert Latents.load(tmp_path / "a").record.compressor == str(trial)
    named = ["--run", two_trials, "--recipe", "phase-4", "--training-seed", 1]
    ran = run_command(capsys, "compress", home / "corpus", "-o", tmp_path / "b", *named, *common)
    assert ran.code == 0, ran.err
    record = Latents.load(tmp_path / "b").record
    assert record.compressor == str(two_trials / "trials" / "phase-4" / "seed-1")
    asked = ["ask", home / "corpus", "--most", 1, "--latents", tmp_path / "b"]
    by_run = run_command(capsys, *asked, *named, *common)
    by_file = run_command(capsys, *asked, *common)
    assert by_run.code == 0 and by_file.out == by_run.out, "the file knows who made it"
    assert "made by another compressor" in run_command(capsys, *asked, *one, *common).error


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--run", "{run}"], "2 trials fit (phase-4/seed-0, phase-4/seed-1); name one with --rec"),
        (["--run", "{run}", "--phase", 4], "2 trials fit"),
        (["--run", "{run}", "--training-seed", 3], "no trial with the training seed 3 has a"),
        (["--run", "{run}", "--phase", 1], "no trial of phase-1 has a checkpoint here; there are"),
        (["--run", "{run}", "--recipe", "mine"], "mine has no checkpoint in this run"),
        (["--run", "{run}", "--phase", 4, "--recipe", "mine"], "give one of the two"),
        (["--run", "{run}", "--compressor", "lab-4x"], "exclude each other"),
        (["--phase", 4], "runs/lab: there is no such run folder"),
        (["--run", "{run}x"], "there is no such run folder; give --run with one that is there ("),
    ],
)
def test_a_trial_that_is_not_named_clearly(capsys, two_trials, tmp_path, monkeypatch, given, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Ann lives in Rome.")
    line = [str(part).format(run=two_trials) for part in given]
    for command in (["compress", "a.txt", "-o", "a.latents"], ["ask", "a.txt", "Who?"]):
        assert says in run_command(capsys, *command, *line).error


def test_what_the_lab_teacher_cannot_read_is_said_of_latents_too(capsys, tmp_path, monkeypatch):
    """`ask` alone had the note; a chronicle of its own world needs none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Ann lives in Rome.")
    assert run_command(capsys, "corpus", "--documents", 1, "--out", "own").code == 0
    assert given_documents(Path("own")).generator == LAB_GENERATOR
    assert given_documents(Path("a.txt")).generator is None
    ran = run_command(capsys, "compress", "a.txt", "-o", "a.latents", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "note: the teacher 'lab' learnt the lab's chronicles and no language" in ran.out
