"""Programs that fork a child for every line they are given, so that a test can kill it.

Importing torch takes seconds; a fork of a process that has it takes milliseconds.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


class Server:
    """Such a program, from the test's side."""

    def __init__(self, program: str | Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *words: object) -> int:
        """Have a child do what these words ask for; its pid."""
        assert self._process.stdin
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._number()

    def wait(self) -> int:
        """Exit status of the child, negative for a signal."""
        return self._number()

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


def serve(work: Callable[[list[str]], None]) -> None:
    """The same from the program's side: a child for every line, `work` gets its words."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # Whatever it prints would be taken for a number.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work(line.rstrip("\n").split("\t"))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)  # reaped only once its end was reported
        print(os.waitstatus_to_exitcode(status), flush=True)
