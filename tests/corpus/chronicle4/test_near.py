"""Near misses: what was mixed up, what was misspelt, and what to rank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.chronicle4.facts import Asked, Question
from latentcomp.corpus.chronicle4.near import candidates, classify, distance, stale_rank

ASKED = Asked(
    question=Question("q", "latest", "What is Karo's creed?", "milano", ("zutebo",)),
    form="word",
    spans=(),
    needs_days=False,
    asked_after=0,
    held_out=False,
    wording="",
    statements=(),
    hops=0,
    mistakes=(
        ("stale", "zutebo"),
        ("other_attribute", "pijobi"),
        ("other_entity", "vuge"),
        ("unreal", "mokano"),
    ),
)


@pytest.mark.parametrize(
    ("prediction", "verdict", "edits"),
    [
        ("milano", "right", 0),
        (" milano.", "right", 0),
        ("milana", "misspelt", 1),
        ("milo", "misspelt", 2),
        ("zutebo", "stale", 0),
        ("zutebi", "stale", 1),
        ("pijobi", "other_attribute", 0),
        ("vuge", "other_entity", 0),
        ("mokano", "unreal", 0),
        ("mikano", "unreal", 1),
        ("Haderu", "foreign", 6),
        ("", "foreign", 6),
    ],
)
def test_an_answer_is_judged(prediction, verdict, edits):
    found = classify(prediction, ASKED)
    assert (found.verdict, found.edits) == (verdict, edits)


def test_candidates_begin_with_the_right_answer_and_the_stale_ones():
    assert candidates(ASKED) == ("milano", "zutebo", "pijobi", "vuge", "mokano")
    assert candidates(ASKED, 2) == ("milano", "zutebo")


@pytest.mark.parametrize(("scores", "stale"), [((1, 2, 0, 0, 0), True), ((1, 0, 2, 2, 2), False)])
def test_stale_by_ranking(scores, stale):
    assert stale_rank(scores, ASKED) is stale


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance_is_a_metric(one, two, three):
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert distance(one, two) <= max(len(one), len(two))
