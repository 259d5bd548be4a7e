"""Append-only journals: durable, without a torn line, for several writers at once."""

import errno
import multiprocessing
import os
import resource
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import LatentcompError, StoreError
from latentcomp.common.journal import append_line, read_lines
from latentcomp.common.record import Record


class Entry(Record):
    """A line of these tests."""

    number: int
    text: str = ""


def numbers(path):
    return [entry.number for entry in read_lines(Entry, path)]


def test_lines_come_back_in_their_order(tmp_path):
    path = tmp_path / "new" / "folder" / "journal.jsonl"
    assert read_lines(Entry, path) == ()
    for number in range(3):
        append_line(path, Entry(number=number))
    assert numbers(path) == [0, 1, 2]
    assert path.read_bytes().count(b"\n") == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_any_text_is_one_line(tmp_path_factory, texts):
    """Line separators of Unicode too, which `str.splitlines` takes for ends of lines."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    entries = tuple(Entry(number=n, text=text) for n, text in enumerate(texts))
    for entry in entries:
        append_line(path, entry)
    assert read_lines(Entry, path) == entries


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "a\x0bb", "a\nb\r\nc", "\x1c"])
def test_line_separators_of_unicode_end_no_line(tmp_path, text):
    path = tmp_path / "journal.jsonl"
    append_line(path, Entry(number=1, text=text))
    assert read_lines(Entry, path) == (Entry(number=1, text=text),)


@pytest.mark.parametrize("torn", ['{"number": 9', '{"number": 9, "text": "x"}', "x" * 9000])
def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next(tmp_path, torn):
    path = tmp_path / "journal.jsonl"
    append_line(path, Entry(number=1))
    with path.open("a") as journal:
        journal.write(torn)  # killed before its newline
    assert numbers(path) == [1]
    append_line(path, Entry(number=2))
    assert numbers(path) == [1, 2]
    assert torn not in path.read_text()


def test_a_journal_that_is_nothing_but_a_torn_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"num')
    assert read_lines(Entry, path) == ()
    append_line(path, Entry(number=2))
    assert numbers(path) == [2]


@pytest.mark.parametrize("line", ["{}", "no json", "", '{"number": 1, "other": 2}', "\xff"])
def test_a_damaged_line_is_named_and_not_passed_over(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    append_line(path, Entry(number=1))
    with path.open("a", encoding="latin-1") as journal:
        journal.write(line + "\n")
    append_line(path, Entry(number=3))
    with pytest.raises(LatentcompError, match=r"journal\.jsonl, line 2: not a Entry") as caught:
        read_lines(Entry, path)
    assert "\n" not in str(caught.value)


def test_a_failing_sync_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    append_line(path, Entry(number=1))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="the disk is full") as caught:
            append_line(path, Entry(number=2))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == before
    append_line(path, Entry(number=3))
    assert numbers(path) == [1, 3]


def _append_with_room_for(path, room):
    """In a process whose files may grow by so many bytes: 0 if that was told, in one line."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = path.stat().st_size + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        append_line(path, Entry(number=2, text="x" * 20_000))
    except StoreError as error:
        os._exit(0 if "the disk is full" in str(error) and "\n" not in str(error) else 2)
    os._exit(1)


@pytest.mark.parametrize("room", [0, 1, 4096, 20_000])
def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, room):
    """Also where a part of the line still had room."""
    path = tmp_path / "journal.jsonl"
    append_line(path, Entry(number=1))
    before = path.read_bytes()
    writer = multiprocessing.get_context("fork").Process(
        target=_append_with_room_for, args=(path, room)
    )
    writer.start()
    writer.join()
    assert writer.exitcode == 0
    assert path.read_bytes() == before
    append_line(path, Entry(number=3))
    assert numbers(path) == [1, 3]


def test_a_file_in_the_way_of_its_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="in the way"):
        append_line(tmp_path / "file" / "journal.jsonl", Entry(number=1))


def _append_many(path, writer, count):
    for number in range(count):
        append_line(path, Entry(number=1000 * writer + number, text="x" * 500))


def test_several_processes_append_whole_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, w, 25)) for w in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    written = numbers(path)
    assert sorted(written) == [1000 * w + n for w in range(4) for n in range(25)]
    for index in range(4):
        own = [number for number in written if number // 1000 == index]
        assert own == sorted(own)
