"""`latentcomp train` and `evaluate` as a user meets them: what they take, do and suggest."""

import re
from dataclasses import replace
from itertools import count

import pytest

from latentcomp.commands import trials
from latentcomp.commands.costs import smoke_test
from latentcomp.corpus.files import write_corpus
from latentcomp.experiment.phases import phase
from latentcomp.experiment.sizes import SIZES
from latentcomp.train import loop

from ..extract.command_line import run_command
from ..train import tiny


@pytest.fixture
def train(capsys, run, deep):
    """A function: train phase 1 in short steps, with more options."""
    line = ["train", "--phase", 1, "--run", run, "--reasoner", deep, "--device", "cpu"]
    line += ["--question-tokens", 96, "--save-every", 1, "--batch-size", 1]
    return lambda *more: run_command(capsys, *line, *more)


@pytest.fixture
def held(tmp_path):
    """Two short documents with a question each, as somebody's own corpus."""
    given = [replace(one, questions=one.questions[:1]) for one in tiny.documents(2, 1, "test")]
    write_corpus(tmp_path / "held", given, {"source": "somebody"})
    return tmp_path / "held"


def test_a_training_says_what_it_takes_and_what_it_did(train, run):
    ran = train("--steps", 2)
    assert ran.code == 0, ran.err
    first, *others = ran.out.splitlines()
    assert re.fullmatch(
        r"training: 2 steps of 1 documents \(4 in the store\), up to 96 tokens of questions a "
        r"step; "
        r"[\d,]+ parameters; how long it takes, the bar says after its first steps",
        first,
    )
    assert f"{run}/trials/phase-1/seed-0: trained; now `latentcomp evaluate" in others[-2]
    assert others[-1].startswith("2 steps are a smoke test: it shows that every part runs")
    again = train("--steps", 2)
    done, _ = again.out.splitlines()
    assert "seed-0: was trained to its end before, and nothing was done; now `latentcomp" in done


def test_a_training_that_goes_on_says_from_where(train, monkeypatch):
    step = loop._backward

    begun = count()

    def stop(given, forward, batch, ratio):
        if next(begun) == 2:
            raise KeyboardInterrupt
        return step(given, forward, batch, ratio)

    monkeypatch.setattr(loop, "_backward", stop)
    assert train("--steps", 5).code == 130
    monkeypatch.setattr(loop, "_backward", step)
    ran = train("--steps", 5)
    assert ran.code == 0, ran.err
    first, second, *_ = ran.out.splitlines()
    assert first.startswith("training: 3 steps of 1 documents")
    assert second == "it goes on after step 2 of 5, which an earlier session kept"
    assert "smoke test" not in ran.out, "five steps are more than those of the size tiny"


def test_a_training_after_a_failed_phase_says_why_it_may(train, monkeypatch):
    monkeypatch.setattr(trials, "tell_order", lambda number, *given: told.append(number))
    told: list[int] = []
    assert train("--steps", 1).code == 0 and told == [1]
    assert train("--steps", 1, "--skip-order", "--restart").code == 0 and told == [1]


@pytest.mark.parametrize("size", SIZES)
def test_a_size_without_verdicts_is_a_smoke_test(size):
    recipe = SIZES[size].of(phase(4).recipe)
    assert bool(smoke_test(recipe)) is not SIZES[size].gated
    assert smoke_test(recipe.changed({"budget.steps": None, "budget.seconds": 5.0})) == ""


def test_an_evaluation_says_what_it_takes_and_where_it_is_kept(capsys, train, run, deep, held):
    assert train("--steps", 1, "--name", "mine").code == 0
    models = ["--teacher", deep, "--reasoner", deep, "--device", "cpu"]
    line = ["evaluate", "--recipe", "mine", "--run", run, "--corpus", held, *models]
    ran = run_command(capsys, *line)
    assert ran.code == 0, ran.err
    lines = [text.strip() for text in ran.out.splitlines() if text.strip()]
    assert re.match(r"evaluating: 2 documents of [\d,]+ tokens with \d+ questions", lines[0])
    assert lines[1] == f"mine, training seed 0: 2 documents of {held}"
    assert any(text.startswith("1 step is a smoke test") for text in lines)
    (kept,) = (run / "trials" / "mine" / "seed-0" / "evaluations").iterdir()
    assert f"{kept}: every answer and these figures" in lines
    assert lines[-1] == f"now `latentcomp report --run {run}`"


def test_the_teacher_alone_says_that_nothing_is_kept_and_what_is_next(capsys, run, deep, held):
    line = ["evaluate", "--teacher-only", "--run", run, "--corpus", held, "--teacher", deep]
    ran = run_command(capsys, *line, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert f"teacher alone: 2 documents of {held}" in ran.out
    assert "self-check not made: it needs the arm shuffled\n" in ran.out
    kept, last = ran.out.splitlines()[-2:]
    assert kept == "these figures were written nowhere; --json FILE keeps them"
    assert last.startswith("before anything is trained: another teacher")
