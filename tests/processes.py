"""Processes that a test may kill, forked from one that has imported everything.

Importing torch and transformers takes each process that is started 3 to 8 s; a fork takes
milliseconds. Processes whose very start is tested are started as users do.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from transformers.conversion_mapping import get_checkpoint_conversion_mapping

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "latentcomp.cli",
        "latentcomp.extract.runner",
        "latentcomp.commands.extract",
        "latentcomp.commands.store_append",
        "latentcomp.commands.teacher_text",
        "latentcomp.train.loop",
        "latentcomp.train.loader",
        "latentcomp.train.store_batches",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
        "transformers.models.qwen3.modeling_qwen3",
        "numpy.ma",
        "pandas",
        "pyarrow.compute",
        "pyarrow.dataset",
        "pytest",
    ]
)


def start(function: Callable[..., None], *arguments: object) -> Any:
    """A process that runs a function of a test module; its methods are those of `Process`."""
    process = CONTEXT.Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def command(*arguments: object) -> None:
    """In a process: run `latentcomp <arguments>` and end with its exit code."""
    from latentcomp import cli

    _be_silent()
    os._exit(cli.run([str(argument) for argument in arguments]))


class Server:
    """A process that forks a child for every job: the test knows its pid and how it ended."""

    def __init__(
        self,
        work: Callable[..., None],
        prepare: Callable[..., None] = lambda: None,
        *arguments: object,
    ) -> None:
        """Start it.

        Args:
            work: what a child does with the words of its job; a function of a module.
            prepare: called once before the first child, so that none has to do it again.
            arguments: of `prepare`.
        """
        self._connection, other = CONTEXT.Pipe()
        self._process = start(_serve, other, work, prepare, arguments)
        other.close()

    def start(self, *words: object) -> int:
        """Have a child do what these words ask for; its pid."""
        self._connection.send(words)
        return int(self._connection.recv())

    def wait(self) -> int:
        """Exit status of the child, negative for a signal."""
        return int(self._connection.recv())

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(60)


def running(pid: int) -> bool:
    """True until a child of a server has ended; its pid is its own until the next one starts."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def _serve(
    connection: Connection,
    work: Callable[..., None],
    prepare: Callable[..., None],
    arguments: tuple[object, ...],
) -> None:
    _be_silent()
    get_checkpoint_conversion_mapping("qwen3")  # hundreds of regular expressions, compiled once
    prepare(*arguments)
    child = 0
    while True:
        try:
            words = connection.recv()
        except EOFError:
            return
        if child:
            os.waitpid(child, 0)  # not before: its pid must not be another's when it is killed
        child = os.fork()
        if child == 0:
            work(*words)
            os._exit(0)
        connection.send(child)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended
        exited = ended.si_code == os.CLD_EXITED
        connection.send(ended.si_status if exited else -ended.si_status)


def _be_silent() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
