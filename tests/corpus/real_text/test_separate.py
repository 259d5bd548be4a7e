"""No text of one source stands in two splits: planted duplicates, links, renamed packages."""

import gzip
import re

import pytest

from latentcomp.corpus.outside import debian_changelog
from latentcomp.corpus.real_text.make import Wanted, make
from latentcomp.corpus.real_text.separate import SHARES, SPLITS, separate, split_of

from . import samples


def made(folder, **fields):
    wanted = Wanted(characters=(500, 4000), **fields)
    return make("debian-changelog", debian_changelog.FORMAT, folder, wanted)


def entries_of(documents):
    """Sign-offs, by which an entry is known again."""
    return [
        (line, document.document_id)
        for document in documents
        for line in document.text.split("\n")
        if line.startswith("--")
    ]


@pytest.fixture
def packages():
    """Twenty packages, five of which begin with the changelog of another one."""
    texts = {f"mill{n:02d}": samples.changelog(f"mill{n:02d}", 16) for n in range(20)}
    for n in range(5):
        newer = samples.changelog(f"mill{n}new", 12, versions="9.{n}{m}-1")
        texts[f"mill{n}new"] = newer + "\n" + texts[f"mill{n + 7:02d}"]
        texts[f"libmill{n:02d}"] = texts[f"mill{n:02d}"]
    return texts


def test_planted_duplicates_are_kept_once_and_in_one_split(tmp_path, packages):
    folder = samples.folder_of_docs(tmp_path, packages)
    result = made(folder, keep_unasked=True)
    assert result.gathered.repeated == 5, "libraries with the bytes of another package"
    assert result.dropped == 5 * 16, "entries that a renamed package brought with it"
    by_split = {
        split: made(folder, split=split, keep_unasked=True).documents
        for split in SPLITS
        if split in result.splits
    }
    together = [entry for documents in by_split.values() for entry in entries_of(documents)]
    assert sorted(together) == sorted(entries_of(result.documents))
    texts = [chunk.text for document in result.documents for chunk in document.chunks]
    assert len(set(texts)) == len(texts)
    for n in range(5):
        pair = (f"mill{n}new", f"mill{n + 7:02d}")
        splits = {
            split
            for split, documents in by_split.items()
            for document in documents
            if re.sub(r"^debian-changelog-|-\w+$", "", document.document_id) in pair
        }
        assert len(splits) == 1, pair


def test_without_the_groups_the_planted_duplicates_would_stand_in_two_splits(packages):
    names = [(f"mill{n}new", f"mill{n + 7:02d}") for n in range(5)]
    assert any(split_of(one) != split_of(other) for one, other in names)


def test_a_chain_of_renames_is_one_group():
    one, other = (samples.changelog(name, 4) for name in "ab")
    chain = {"c": samples.changelog("c", 2) + one + other, "a": one, "b": other}
    sources = [debian_changelog.parse(name, text).sources[0] for name, text in chain.items()]
    separated = separate(sources)
    assert (separated.groups, separated.largest) == (1, 3)
    assert {split for _, split in separated.sources} == {split_of("a")}


def test_short_entries_alike_by_chance_join_nothing():
    rebuild = (
        "{p} (1.0-1) unstable; urgency=low\n\n  * Rebuild for all architectures.\n\n"
        " -- {p} <a@b>  Mon, 04 Jan 2010 09:30:00 +0000\n"
    )
    sources = [debian_changelog.parse(p, rebuild.format(p=p)).sources[0] for p in ("one", "two")]
    assert separate(sources).groups == 2


def test_a_linked_folder_counts_once(tmp_path):
    folder = samples.folder_of_docs(tmp_path, {"millwheel": samples.changelog()})
    (folder / "aaa-doc").symlink_to("millwheel")
    result = made(folder)
    assert result.gathered.repeated == 1 and list(result.gathered.files) == [
        "millwheel/changelog.Debian.gz"
    ]


def test_splits_have_their_shares():
    names = [split_of(f"package{n}") for n in range(4000)]
    assert [names.count(split) / 4000 for split in SPLITS] == pytest.approx(SHARES, abs=0.02)


def test_the_same_files_give_the_same_documents(tmp_path, packages):
    once = made(samples.folder_of_docs(tmp_path / "one", packages))
    again = made(samples.folder_of_docs(tmp_path / "two", dict(reversed(packages.items()))))
    assert once.documents == again.documents and once.documents


def test_a_held_out_document_that_repeats_train_is_left_out(tmp_path):
    """Another package says the same with a word more in every entry, on other days."""
    names = [f"mill{n}" for n in range(40)]
    train = next(name for name in names if split_of(name) == "train")
    test = next(name for name in names if split_of(name) == "test")
    said = samples.changelog(train, 12).replace(f"{train}: ", "")
    again = said.replace(train, test).replace("#5", "#6").replace("2010", "2007")
    again = again.replace("2011", "2008").replace("of the mill", "of the old mill")
    both = {train: said, test: again, "mill99": samples.changelog("mill99", 12)}
    (tmp_path / "both").mkdir()
    folder = samples.folder_of_docs(tmp_path / "both", both)
    result = made(folder, keep_unasked=True)
    assert result.groups == 3 and result.repeating > 0
    assert not any(f"-{test}-" in one.document_id for one in result.documents)
    (tmp_path / "alone").mkdir()
    alone = made(samples.folder_of_docs(tmp_path / "alone", {test: again}), keep_unasked=True)
    assert alone.repeating == 0 and alone.documents


def test_a_package_made_for_debian_has_its_changelog_under_another_name(tmp_path):
    """One beside a Debian changelog is the upstream one, in whatever format."""
    folder = samples.folder_of_docs(tmp_path, {"millwheel": samples.changelog()})
    (folder / "millwheel" / "changelog.gz").write_bytes(b"upstream")
    (folder / "native").mkdir()
    text = samples.changelog("native").encode()
    (folder / "native" / "changelog.gz").write_bytes(gzip.compress(text))
    assert list(made(folder).gathered.files) == [
        "millwheel/changelog.Debian.gz", "native/changelog.gz",
    ]  # fmt: skip
