"""What a command shows in a terminal, kept with where it was run, and quoted from there.

`python -m latentcomp.tools.terminal docs/results/terminal/demo make demo` runs the
command and writes `demo.txt`, its output as it was printed, and `demo.json`, its provenance.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..common import atomic, provenance
from ..common.errors import LatentcompError

_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DRAWN_OVER: Final = re.compile(r"[^\n]*\r(?!\n)")


def record(name: Path, command: Sequence[str], last: int | None = None) -> int:
    """Run a command and keep what it printed, standard error included.

    Args:
        name: the two files without their endings.
        command: program and arguments.
        last: keep so many lines of the end; all when None.

    Returns:
        The exit code of the command; nothing is written unless it is 0.

    Raises:
        LatentcompError: there is no such program, or the files cannot be written.
    """
    seen = provenance.collect({}, {})  # before the run: that is the code that ran
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        raise LatentcompError(f"{command[0]}: cannot be run ({error.strerror})") from error
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        return done.returncode
    lines = done.stdout.splitlines(keepends=True)
    atomic.write_bytes(name.with_suffix(".txt"), b"".join(lines[-last:] if last else lines))
    content = {
        "command": list(command),
        "kept": "all" if last is None else f"last {last} lines",
        "provenance": seen.model_dump(mode="json"),
    }
    atomic.write_json(name.with_suffix(".json"), content)
    return 0


def terminal_block(file: Path) -> str:
    """What was kept, as Markdown: no colours, and of a progress bar its last state.

    Raises:
        LatentcompError: there is no such file.
    """
    if not file.is_file():
        raise LatentcompError(
            f"{file} is missing; record it with `python -m latentcomp.tools.terminal`"
        )
    text = _COLOURS.sub("", file.read_bytes().decode()).replace("\r\n", "\n")
    lines = [line.rstrip() for line in _DRAWN_OVER.sub("", text).splitlines()]
    return "\n".join(["```", *lines, "```"])


def main() -> None:
    """Run and keep one command."""
    parser = argparse.ArgumentParser(description="Keep what a command prints.")
    parser.add_argument("name", type=Path)
    parser.add_argument("--last", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    raise SystemExit(record(given.name, given.command, given.last))


if __name__ == "__main__":
    main()
