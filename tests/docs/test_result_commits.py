"""The commits that published results name can be looked at: they are of this history.

A rebase rewrites commits; a result that was measured before one has to be measured again after it.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMIT = re.compile(r'"git_commit": "([0-9a-f]{40})"')


def git(*arguments):
    line = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def whole_history():
    """Whether this is a checkout with all its commits, and not a wheel or a shallow clone."""
    if shutil.which("git") is None:
        return False
    return git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"


def commits():
    files = sorted((ROOT / "docs" / "results").glob("*.json"))
    return {file.name: sorted(set(COMMIT.findall(file.read_text()))) for file in files}


def lost(named, history):
    """Commits that a result names and the history lacks, by file."""
    known = set(history.split())
    return {name: gone for name, all_ in named.items() if (gone := set(all_) - known)}


def test_results_name_commits_of_this_history():
    if not whole_history():
        pytest.skip("needs a git checkout with its whole history")
    named = commits()
    assert sum(map(len, named.values())) > 10
    assert lost(named, git("rev-list", "HEAD").stdout) == {}


def test_a_commit_of_no_history_is_seen():
    assert lost({"a.json": ["x" * 40], "b.json": []}, "y" * 40) == {"a.json": {"x" * 40}}
