"""Bars: what is planned, what is done, and rates that are true to the end."""

import io
import re

import pytest
from rich.console import Console
from rich.progress import Progress

from latentcomp.evaluate.progress import arm_progress
from latentcomp.evaluate.suite import PLANNED, run_arms
from latentcomp.evaluate.text_arms import run_text_arms
from latentcomp.extract.token_progress import TokenRate

from ..train import tiny
from .tiny_suite import bench


@pytest.mark.parametrize("rank", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_what_is_planned_is_what_is_done(rank):
    """Over all arms, the reading of the states included."""
    model, documents = tiny.lm(4), tiny.documents(2, chunks=2)
    for run in (
        lambda progress: run_arms(bench(model, rank=rank), documents, 0, progress),
        lambda progress: run_text_arms(model, documents, rank_too=rank, progress=progress),
    ):
        calls: list[tuple[str, int]] = []
        run(lambda arm, count, calls=calls: calls.append((arm, count)))
        assert calls[0][0] == PLANNED
        assert sum(count for arm, count in calls[1:] if arm != PLANNED) == calls[0][1]


def screen(width=100):
    """A console that draws as on a terminal."""
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def test_the_bar_of_an_evaluation_shows_total_and_rate():
    console = screen()
    with arm_progress(console) as progress:
        progress(PLANNED, 8)
        progress("states", 2)
        progress("ceiling", 2)
        progress(PLANNED, 8)  # a second checkpoint
    shown = console.file.getvalue()
    assert "2/8 documents x arms" in shown or "4/16 documents x arms" in shown
    assert re.search(r"\d/s", shown)


def test_a_pipe_and_a_failure_before_the_first_document_get_no_line_of_it():
    written = io.StringIO()
    with arm_progress(Console(file=written, width=80)) as progress:
        progress(PLANNED, 8)
        progress("states", 2)
    assert written.getvalue() == ""
    terminal = screen()
    with pytest.raises(ValueError), arm_progress(terminal):
        raise ValueError
    assert terminal.file.getvalue() == ""


def test_without_a_plan_there_is_no_total():
    console = screen()
    with arm_progress(console) as progress:
        progress("states", 2)
    assert "2 documents x arms" in console.file.getvalue()


def test_the_last_rate_is_that_of_the_whole_run():
    """Batches that are counted in a burst at the end: rich's own speed says millions for 297."""
    now = [0.0]
    progress = Progress(TokenRate(), console=screen(), get_time=lambda: now[0])
    progress.add_task("reading", total=300)
    (task,) = progress.tasks
    for seconds in (1.0, 1.00001, 1.00002):
        now[0] = seconds
        progress.update(task.id, advance=100)
    assert (task.speed or 0) > 1e6, "what made it wrong is not tried here"
    assert TokenRate().render(task).plain == "300 tokens/s"
