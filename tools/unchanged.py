"""Whether files below the given paths are as they were before the newest landing.

`python tools/unchanged.py store extract` exits with 0 when nothing below them changed, and with 1
when something did or when it cannot be known, so that slow tests which depend on it run in doubt.
It needs git and the standard library alone.

A landing is not marked in a linear history. What counts as one is the newest run of commits with
no pause of `PAUSE` between two of them; a merge commit lands what is not in its first parent.
`CI_BASE` in the environment names the commit to compare with instead.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PAUSE: Final = 12 * 3600
"""Seconds between two commits that end a landing."""


def base(root: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """The commit before the newest landing; None when the history does not tell it.

    Args:
        root: a folder of the checkout.
        environment: may name the commit as `CI_BASE`.

    Raises:
        subprocess.CalledProcessError: there is no history, or not that commit.
    """
    if named := environment.get("CI_BASE"):
        return _git(root, "rev-parse", "--verify", f"{named}^{{commit}}").strip()
    lines = _git(root, "log", "--first-parent", "--format=%H %ct %p").splitlines()
    commits = [(line.split()[0], int(line.split()[1]), len(line.split()) - 2) for line in lines]
    for (_, after, parents), (earlier, before, _) in zip(commits, commits[1:], strict=False):
        if parents > 1 or after - before >= PAUSE:
            return earlier
    return None


def changed(root: Path, since: str, paths: Sequence[str]) -> list[str]:
    """Files below `paths` that differ from those of a commit, uncommitted and new ones included.

    Args:
        root: a folder of the checkout.
        since: the commit.
        paths: files and folders, relative to `root`.

    Raises:
        subprocess.CalledProcessError: there is no such commit.
    """
    differing = _git(root, "diff", "--name-only", "--relative", since, "--", *paths)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *paths)
    return sorted({*differing.splitlines(), *new.splitlines()})


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(paths: Sequence[str], root: Path) -> int:
    """Say what changed below `paths`. Returns 0 for nothing, 1 otherwise."""
    try:
        since = base(root)
        files = None if since is None else changed(root, since, paths)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"what changed is not known ({error})")
        return 1
    if since is None or files is None:
        print("what changed is not known: the history holds one landing")
        return 1
    print(f"{len(files)} files of {', '.join(paths)} changed since {since[:7]}")
    return 1 if files else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Path(__file__).resolve().parents[1]))
