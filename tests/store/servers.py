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

    def __init__(self, program: str | Path, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
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


def running(pid: int) -> bool:
    """True until a child has ended; its pid stays its own until the next one is started."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def serve(work: Callable[[list[str]], None]) -> None:
    """The same from the program's side: a child for every line, `work` gets its words."""
    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)  # not before: its pid must not be another's when it is killed
        child = os.fork()
        if child == 0:
            # Whatever it prints would be taken for a number.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work(line.rstrip("\n").split("\t"))
            os._exit(0)
        print(child, flush=True)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended
        exited = ended.si_code == os.CLD_EXITED
        print(ended.si_status if exited else -ended.si_status, flush=True)
