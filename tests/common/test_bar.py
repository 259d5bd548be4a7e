"""Bars in a log: a line a minute where there is no terminal, and none where there is one."""

import io
from contextlib import contextmanager

import pytest
from rich.console import Console

from latentcomp.common.bar import LINE_EVERY
from latentcomp.evaluate.interface.table import unit_progress
from latentcomp.evaluate.progress import arm_progress
from latentcomp.evaluate.suite import PLANNED
from latentcomp.extract.batches import DocumentBatch
from latentcomp.extract.teachers.text.calls import Reply
from latentcomp.extract.teachers.text.reply_progress import reply_progress
from latentcomp.extract.token_progress import token_progress
from latentcomp.train.progress import step_progress
from latentcomp.train.recipe import Budget


@contextmanager
def evaluating(console):
    with arm_progress(console) as progress:
        progress(PLANNED, 400)
        yield lambda: progress("ceiling", 100)


@contextmanager
def training(console):
    step = 0

    def advance():
        nonlocal step
        step += 100
        on_step({"step": step, "loss": 0.5, "seconds": 1.0})

    with step_progress(console, Budget(steps=400)) as on_step:
        yield advance


@contextmanager
def extracting(console):
    batch = DocumentBatch(tuple(range(10)), 90, 100)
    with token_progress(console, 40, 400) as progress:
        yield lambda: progress.read(batch)


@contextmanager
def optimising(console):
    done = 0

    def advance():
        nonlocal done
        done += 100
        progress("8x", done, 400, 0.5)

    with unit_progress(console) as progress:
        yield advance


@contextmanager
def asking(console):
    with reply_progress(console) as on_plan:
        on_reply = on_plan("teacher", 0, 4)
        reply = Reply(text="", finish_reason=None, prompt_tokens=None, completion_tokens=7)
        yield lambda: on_reply(reply)


BARS = {
    evaluating: "ceiling  300/400 documents x arms",
    training: "training  step 300  loss 0.500",
    extracting: "extracting  30/40 documents",
    optimising: "8x  step 300/400  loss 0.500",
    asking: "asking  3/4 calls  21 tokens written",
}
"""Bar that is moved by a quarter of its work -> what its line says after the third."""


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.__name__)
def test_a_log_gets_a_line_a_minute_with_the_time_that_is_left(bar, capsys):
    now = [0.0]
    with bar(Console(file=io.StringIO(), get_time=lambda: now[0])) as advance:
        for seconds in (1.0, LINE_EVERY / 2, 2 * LINE_EVERY, 2 * LINE_EVERY + 1):
            now[0] = seconds
            advance()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(BARS[bar])
    # Half of the work in the time since the first quarter was done; a plan is made before it.
    since = "0:02:00 gone, 0:00:40 left" if bar is evaluating else "0:01:59 gone, 0:01:00 left"
    assert line.endswith(since)


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.__name__)
def test_a_terminal_gets_the_bar_alone(bar, capsys):
    now = [0.0]
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120, get_time=lambda: now[0])
    with bar(console) as advance:
        for seconds in (1.0, 2 * LINE_EVERY):
            now[0] = seconds
            advance()
    assert capsys.readouterr().err == "" and shown.getvalue()
