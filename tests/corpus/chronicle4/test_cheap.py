"""Cheap readers read what they are for, and no family is theirs."""

import pytest

from latentcomp.corpus.chronicle4.cheap import CHEAP, question_only
from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.facts import Chunk, Document
from latentcomp.corpus.chronicle4.page import Case, Page, answer_type
from latentcomp.corpus.chronicle4.pricing import MOST, price, table
from latentcomp.corpus.chronicle4.search import search

DOCUMENT = Document(
    "d",
    (
        Chunk(0, "Karo has room 482. Milu has room 311. Karo's locker is 900.", 10),
        Chunk(1, "Karo was given room 519. The baker is called Milu.", 20),
    ),
)


def case(text, answer="", family="fact", form="number"):
    return Case(Page(DOCUMENT), 0, family, form, text, answer)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Where is Karo's home?", "town"),
        ("What number is Karo's flat?", "number"),
        ("What is Karo to Milu?", "role"),
        ("To Milu, what is Karo?", "role"),
        ("What is Karo's creed?", "word"),
        ("What colour was Karo's robe on day 12?", "closed"),
        ("How many flats has Karo had?", "count"),
        ("What number of people have flat 482?", "count"),
        ("Whose flat is 482?", "person"),
        ("Since which day has Karo had the present flat?", "day"),
        ("Is Karo's flat 482?", "yes_no"),
        ("What is the trade of the person whose flat is 482?", "trade"),
    ],
)
def test_the_type_of_an_answer_is_told_by_the_question(text, kind):
    assert answer_type(text) == kind


@pytest.mark.parametrize(
    ("reader", "text", "answer"),
    [
        ("document, newest", "What number is Karo's flat?", "519"),
        ("document, first", "What number is Karo's flat?", "482"),
        ("entity, newest", "What number is Karo's trunk?", "519"),
        ("entity, first", "What number is Milu's flat?", "311"),
        ("attribute, newest", "What number is Milu's trunk?", "900"),
        ("newest chunk, newest", "What number is Karo's flat?", "519"),
        ("after entity, last", "What number is Karo's trunk?", "519"),
        ("after entity, first", "What number is Karo's trunk?", "482"),
        ("lexical search, older", "What number is Milu's flat?", "311"),
        ("together", "Is Karo's flat 482?", "yes"),
        ("together", "Is Karo's flat 311?", "no"),
        ("entity, newest", "On which day did Karo come by the present flat?", "20"),
    ],
)
def test_a_cheap_reader_reads(reader, text, answer):
    assert CHEAP[reader]([])(case(text)) == answer


def test_the_floor_is_the_commonest_answer_to_the_wording():
    learned = [case("Has Karo's flat ever changed?", a) for a in ("yes", "no", "yes")]
    assert question_only(learned)(case("Has Milu's flat ever changed?")) == "yes"


def test_search_with_a_thesaurus_binds_entity_and_attribute():
    assert search([])(case("What number is Karo's flat?")) == "519"
    assert search([])(case("What number is Karo's trunk?")) == "900"


@pytest.fixture(scope="module")
def prices(lab):
    return price(lab["test"])


def test_no_family_is_a_cheap_readers(prices):
    """At 100 documents an interval is wide: the point is held to the bound here."""
    for each in prices:
        if each.form == "all":
            assert each.share < MOST, table([each])


def test_prices_have_intervals_and_floors_in_place(prices):
    for each in prices:
        assert each.low <= each.share + 1e-9 or each.questions < 50
        assert 0 <= each.floor <= 1 and 0 <= each.right <= 1


@pytest.mark.slow
def test_no_family_is_a_cheap_readers_at_a_thousand_documents():
    for each in price(chronicles("lab", "test", 1000, 19)):
        if each.form == "all":
            assert each.high < MOST, table([each])
