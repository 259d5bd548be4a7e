"""Training runs in processes that can be killed.

An order says: run, teacher, folder, changes (of the recipe), crash (the change to the disk before
which the run kills itself, 0 for none), after (the step after which it does, 0 for none), limit
(the largest file it may write, 0 for none), report and errors (files for the number of changes to
the disk, and for stderr).
"""

import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.train.loop import train

from . import tiny

REFUSED = 7


def crash_at(point: int, report: int) -> None:
    """Die by SIGKILL just before the `point`-th change to the disk; tell the count at the end."""
    count = 0

    def counting(function: Any) -> Any:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
            os.pwrite(report, f"{count:08d}".encode(), 0)
            return function(*arguments, **named)

        return wrapper

    for owner, name in ((os, "fsync"), (os, "writev"), (Path, "replace"), (os, "rmdir")):
        setattr(owner, name, counting(getattr(owner, name)))


def child(order: dict[str, Any], report: int) -> int:
    """One training run."""
    run = tiny.training_run(
        Path(order["run"]), Path(order["teacher"]), Path(order["folder"]), **order["changes"]
    )
    crash_at(order["crash"], report)
    if order["limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))

    def on_step(figures: dict[str, float]) -> None:
        if figures["step"] == order["after"]:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        train(run, on_step)
    except LatentcompError as error:
        print(error, file=sys.stderr, flush=True)
        return REFUSED
    return 0


def prepare() -> None:
    """Once, before the first run."""
    torch.set_num_threads(1)


def work(order: dict[str, Any]) -> None:
    """One training run that may be killed; how often it changed the disk stays in `report`."""
    report = os.open(order["report"], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(order["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    try:
        code = child(order, report)
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stderr.flush()
    os._exit(code)
