"""Which commit a change is compared with, and what counts as changed."""

import os
import subprocess

import pytest

from latentcomp.tools.unchanged import PAUSE, base, changed, main

DAY = 24 * 3600
NAMES = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}


class Repository:
    """A git repository whose commits are made at chosen times."""

    def __init__(self, root):
        self.root = root
        self.clock = 1_700_000_000
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        times = {"GIT_COMMITTER_DATE": f"{self.clock} +0000", "GIT_COMMITTER_EMAIL": "a@b"}
        command = ["git", "-C", str(self.root), *arguments]
        environment = {**os.environ, **NAMES, **times}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment
        ).stdout.strip()

    def commit(self, name, after=0):
        """Change one file and commit it, so many seconds after the commit before."""
        self.clock += after
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{self.clock} {name} {len(list(self.root.rglob('*')))}")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", name)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.delenv("CI_BASE", raising=False)
    return Repository(tmp_path)


def test_a_landing_is_the_newest_run_of_commits_without_a_pause(repository):
    repository.commit("store/a")
    last = repository.commit("store/b", after=60)
    repository.commit("docs/c", after=PAUSE)
    repository.commit("docs/d", after=PAUSE - 1)
    assert base(repository.root, {}) == last
    assert changed(repository.root, last, ["store", "docs"]) == ["docs/c", "docs/d"]
    assert main(["store"], repository.root) == 0
    assert main(["store", "docs"], repository.root) == 1


def test_the_first_commit_of_a_long_landing_counts(repository):
    repository.commit("docs/a")
    repository.commit("store/b", after=DAY)
    for number in range(5):
        repository.commit(f"docs/{number}", after=PAUSE // 2)
    assert main(["store"], repository.root) == 1


def test_a_merge_lands_what_its_first_parent_lacks(repository):
    first = repository.commit("docs/a")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("store/b", after=60)
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert base(repository.root, {}) == first
    assert main(["store"], repository.root) == 1
    assert main(["docs"], repository.root) == 0


def test_what_is_not_committed_counts(repository):
    repository.commit("store/a")
    repository.commit("docs/b", after=DAY)
    (repository.root / "store" / "new").write_text("new")
    assert main(["store"], repository.root) == 1
    (repository.root / "store" / "new").unlink()
    (repository.root / "store" / "a").unlink()
    assert main(["store"], repository.root) == 1


def test_a_deleted_or_moved_file_counts(repository):
    repository.commit("store/a")
    repository.clock += DAY
    (repository.root / "docs").mkdir()
    repository.git("mv", "store/a", "docs/a")
    repository.git("commit", "-q", "-m", "move")
    assert main(["store"], repository.root) == 1


def test_in_doubt_it_changed(repository, tmp_path_factory, capsys, monkeypatch):
    assert main(["store"], repository.root) == 1  # no commit yet
    repository.commit("store/a")
    assert main(["store"], repository.root) == 1  # one landing: nothing to compare with
    repository.commit("docs/b", after=DAY)
    assert main(["store"], repository.root) == 0
    shallow = tmp_path_factory.mktemp("clone")
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(shallow))
    assert main(["store"], shallow) == 1
    assert main(["store"], tmp_path_factory.mktemp("none")) == 1
    monkeypatch.setenv("CI_BASE", "no-such-commit")
    assert main(["store"], repository.root) == 1
    assert capsys.readouterr().out.count("not known") == 5


def test_the_commit_to_compare_with_can_be_named(repository):
    first = repository.commit("docs/a")
    repository.commit("store/b", after=DAY)
    repository.commit("docs/c", after=DAY)
    assert base(repository.root, {"CI_BASE": first[:10]}) == first
