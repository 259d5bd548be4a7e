"""A process that forks training runs which can be killed; run as a program.

Every line on stdin is JSON: run, teacher, folder, changes (of the recipe), crash (the change to the
disk before which the run kills itself, 0 for none), after (the step after which it does, 0 for
none), limit (the largest file it may write, 0 for none). It answers with the exit code of the run,
and with the number of changes to the disk that it made.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.train.loop import train

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.train import tiny  # noqa: E402

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


def serve() -> None:
    """Answer orders until stdin ends."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        order = json.loads(line)
        report = os.memfd_create("count")
        pid = os.fork()
        if pid == 0:
            error = os.open(order["errors"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(error, 2)
            try:
                code = child(order, report)
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 99
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        count = int(os.pread(report, 8, 0) or b"0")
        os.close(report)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "changes": count}), flush=True)


if __name__ == "__main__":
    serve()
