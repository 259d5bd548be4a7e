"""Ctrl-C keeps the step that was running; the same command goes on to the same weights."""

import multiprocessing
import os
import signal
import threading

import pytest
import torch

from latentcomp.models.loading import load_causal_lm
from latentcomp.train import checkpoint
from latentcomp.train.interrupt import NOTICE, deferred_interrupt
from latentcomp.train.loader import PREFETCHED, LoadedBatches
from latentcomp.train.log import read_curve
from latentcomp.train.loop import train

from . import tiny


@pytest.fixture(autouse=True)
def in_the_foreground():
    """Python's own handling: a script's background job, CI too, begins with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def weights(folder):
    """Bytes of the checkpoint's tensors, the optimiser's too."""
    kept = checkpoint.open_checkpoint(folder / "checkpoint")
    return {name: (kept.folder / name).read_bytes() for name in kept.state.sha256}


@pytest.mark.parametrize(
    "at", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)]
)
def test_ctrl_c_keeps_the_step_and_the_rest_is_as_if_nothing_had_been(
    run_folder, teacher, tmp_path, capfd, at
):
    def run(name):
        folder = tmp_path / name
        return tiny.training_run(run_folder, teacher, folder, steps=5, save_every=100)

    def interrupt(figures):
        if figures["step"] == at:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    train(run("whole"))
    with pytest.raises(KeyboardInterrupt):
        train(run("interrupted"), interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert NOTICE.decode() in capfd.readouterr().err
    state = checkpoint.read_state(tmp_path / "interrupted" / "checkpoint")
    assert state.step == at and state.finished is (at == 5)
    train(run("interrupted"))
    assert weights(tmp_path / "interrupted") == weights(tmp_path / "whole")
    assert [line["step"] for line in read_curve(tmp_path / "interrupted")] == [1, 2, 3, 4, 5]


def test_the_second_ctrl_c_stops_at_once():
    with pytest.raises(KeyboardInterrupt), deferred_interrupt(1) as interrupted:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second one was remembered too")


def test_several_processes_threads_and_background_jobs_leave_it_alone():
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt(2) as interrupted:
        assert signal.getsignal(signal.SIGINT) is before and not interrupted()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's background jobs have it
    try:
        with deferred_interrupt(1) as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def work():
        with deferred_interrupt(1) as interrupted:
            seen.append((signal.getsignal(signal.SIGINT), interrupted()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


@pytest.mark.slow
def test_processes_that_make_batches_live_through_the_ctrl_c_of_the_terminal(run_folder, teacher):
    """More steps than are made ahead: a process that had ended would be missed."""
    model = load_causal_lm(str(teacher))
    batches = LoadedBatches(tiny.store_batches(run_folder, model), 1, torch.device("cpu"))
    try:
        first = batches.at(0)
        children = multiprocessing.active_children()
        assert children
        for child in children:
            os.kill(child.pid or 0, signal.SIGINT)
        for step in range(1, 3 + 2 * PREFETCHED):
            assert len(batches.at(step).token_ids_BT) == len(first.token_ids_BT)
    finally:
        batches.close()
