"""Near misses: what was mixed up, what was misspelt, and what to rank."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.chronicle4 import confusions
from latentcomp.corpus.chronicle4.chronicle import generate
from latentcomp.corpus.records import Question
from latentcomp.evaluate.break_lines import break_lines
from latentcomp.evaluate.cells import break_down
from latentcomp.evaluate.near_miss import (
    MISTAKES,
    VERDICTS,
    bound,
    candidates,
    distance_within,
    near_miss,
)
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import score_answer

QUESTION = Question(
    "q",
    "latest",
    "What is Karo's creed?",
    "milano",
    ("zutebo",),
    mistakes=(
        ("stale", "zutebo"),
        ("other_attribute", "pijobi"),
        ("other_entity", "vuge"),
        ("unreal", "mokano"),
        ("unreal", "Milano"),
    ),
)


@pytest.mark.parametrize(
    ("prediction", "verdict"),
    [
        ("milana", "misspelt"),
        ("milo", "misspelt"),
        ("Zutebo.", "stale"),
        ("zutebi", "stale"),
        ("pijobi", "other_attribute"),
        ("vuge", "other_entity"),
        ("mokano", "unreal"),
        ("mikano", "unreal"),  # as near to milano: never misspelt where it may be another value
        ("Haderu", "foreign"),
        ("milano milano milano", "foreign"),
        ("", "abstain"),
        (" Unknown.", "abstain"),
        ("I don't know", "abstain"),
    ],
)
def test_a_wrong_answer_is_judged(prediction, verdict):
    assert near_miss(prediction, QUESTION) == verdict
    assert verdict in VERDICTS


@pytest.mark.parametrize(
    ("answer", "prediction", "verdict"),
    [
        ("482", "382", "misspelt"),
        ("482", "381", "foreign"),
        ("42", "41", "foreign"),  # half of a number of two digits is no misspelling
        ("2", "3", "foreign"),
        ("yes", "no", "opposite"),
        ("No", "Yes.", "opposite"),
        ("yes", "yep", "foreign"),
        ("yes", "", "abstain"),
    ],
)
def test_short_answers_have_a_bound_of_their_own(answer, prediction, verdict):
    assert near_miss(prediction, Question("q", "fact", "?", answer)) == verdict


def test_the_verdicts_have_the_mistakes_of_the_generator():
    assert MISTAKES == confusions.MISTAKES
    made = {m for d in generate("lab", "test", 8, 1) for q in d.questions for m, _ in q.mistakes}
    assert made == set(MISTAKES)


def test_every_known_mistake_of_generator_4_is_called_by_its_name():
    """The value itself is at distance 0, so nothing else can be nearer."""
    for document in generate("lab", "test", 8, 1):
        for question in document.questions:
            stale = set(question.stale_answers)
            for mistake, value in question.mistakes:
                judged = near_miss(value, question)
                assert judged == ("stale" if value in stale else mistake)


def test_candidates_begin_with_the_right_answer_and_the_stale_ones():
    whole = candidates(QUESTION)
    assert whole == (
        ("right", "milano"), ("stale", "zutebo"), ("other_attribute", "pijobi"),
        ("other_entity", "vuge"), ("unreal", "mokano"),
    )  # fmt: skip
    assert candidates(QUESTION, 2) == whole[:2]
    assert candidates(replace(QUESTION, mistakes=(), stale_answers=())) == whole[:1]
    assert candidates(Question("q", "changed", "?", "no")) == (("right", "no"), ("opposite", "yes"))


def test_candidates_take_turns_by_mistake():
    others = tuple(("other_entity", f"entity{n}") for n in range(9))
    many = replace(QUESTION, mistakes=(*others, ("unreal", "mokano")))
    kinds = [kind for kind, _ in candidates(many)]
    assert kinds == ["right", "stale", "other_entity", "unreal", *["other_entity"] * 4]


def test_candidates_of_generator_4_are_distinct():
    for document in generate("lab", "test", 8, 1):
        for question in document.questions:
            answers = [value for _, value in candidates(question)]
            assert answers[0] == question.answer and len(set(answers)) == len(answers)


texts = st.text("abc", max_size=6)


@given(texts, texts, texts)
def test_distance_is_a_metric(one, two, three):
    def distance(a, b):
        return distance_within(a, b, 99)

    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert distance(one, two) <= max(len(one), len(two))


@given(texts, texts, st.integers(0, 6))
def test_a_limit_changes_no_distance_within_it(one, two, limit):
    whole = distance_within(one, two, 99)
    assert distance_within(one, two, limit) == (whole if whole <= limit else None)


@given(st.text("abcd", min_size=1, max_size=9))
def test_a_misspelling_keeps_more_than_half(text):
    assert 2 * bound(text) < len(text)


def rows_of(predictions):
    """Rows of two arms: the given predictions, and the right answer always."""
    return [
        score_answer(f"d{number}", QUESTION, arm, prediction)
        for number, given in enumerate(predictions)
        for arm, prediction in {"compressed": given, "ceiling": QUESTION.answer}.items()
    ]


def test_wrong_answers_are_counted_by_arm_and_right_ones_are_not():
    found = break_down(
        rows_of(["milano", "milana", "milona", "zutebo", "", "Milano."]), seed=0, resamples=10
    )
    assert found.near_misses == {
        "ceiling": {},
        "compressed": {"misspelt": 2, "stale": 1, "abstain": 1},
    }
    assert found.near_misses_by_form == {}, "its form is not known"
    wrong = [row for row in rows_of(["vuge"]) if not row.correct]
    assert [row.near for row in wrong] == ["other_entity"]


def test_an_exactly_stale_answer_is_so_by_both_measures():
    (row,) = [row for row in rows_of(["zutebo"]) if row.arm == "compressed"]
    assert row.stale and row.near == "stale"


def test_wrong_answers_are_counted_by_form_of_the_right_one_too():
    number = replace(QUESTION, question_id="q1", form="number", answer="417", mistakes=())
    name = replace(QUESTION, form="name")
    given = {("q1", "418"): number, (name.question_id, "zutebo"): name}
    rows = [
        score_answer("d0", question, arm, said if arm == "compressed" else question.answer)
        for (_, said), question in given.items()
        for arm in ("compressed", "ceiling")
    ]
    counted = break_down(rows, seed=0, resamples=10)
    assert counted.near_misses_by_form == {
        "name": {"compressed": {"stale": 1}, "ceiling": {}},
        "number": {"compressed": {"misspelt": 1}, "ceiling": {}},
    }
    result = EvaluationResult.from_scores(rows, seed=0, resamples=10)
    lines = " ".join(break_lines(result))
    assert "of them by form of the right answer: name 1 stale; number 1 misspelt" in lines
    totals: Counter[str] = Counter()
    for arms in counted.near_misses_by_form.values():
        totals.update(arms["compressed"])
    assert dict(totals) == counted.near_misses["compressed"]
