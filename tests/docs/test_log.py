"""Both lab books: newest entry first, and a table of contents with a verdict for each entry."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
BOOKS = [DOCS / "LOG.md", DOCS / "LOG-engineering.md"]


def headings(text):
    """Titles of the entries, in their order: `2026-11-23: what was tried`."""
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def contents(text):
    """Lines of the table of contents: day, title, anchor, verdict."""
    return re.findall(r"^\| (\S+): \[(.+?)\]\(#(.+?)\) \| (.+?) \|$", text, re.MULTILINE)


def anchor(heading):
    """The anchor that Markdown renderers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_every_entry_stands_in_the_contents_with_a_verdict(book):
    text = book.read_text()
    listed = contents(text)
    assert [f"{day}: {title}" for day, title, _, _ in listed] == headings(text)
    assert [link for _, _, link, _ in listed] == [anchor(one) for one in headings(text)]
    assert all(verdict.strip() for *_, verdict in listed)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_the_newest_entry_stands_first(book):
    days = [re.match(r"\d{4}-\d\d-\d\d(?=: )", one) for one in headings(book.read_text())]
    assert days and all(days)
    assert [day[0] for day in days if day] == sorted((day[0] for day in days if day), reverse=True)


def test_no_entry_stands_in_both_books():
    first, second = (set(headings(book.read_text())) for book in BOOKS)
    assert first.isdisjoint(second)
