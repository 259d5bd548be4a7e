"""Known shares: forms by family, yes and no, who is named first, days, wordings, candidates."""

from collections import Counter, defaultdict

import pytest

from latentcomp.corpus.chronicle4 import asking, frames
from latentcomp.corpus.chronicle4.families import FAMILIES
from latentcomp.corpus.chronicle4.lexicon import VALUE_FORMS

CROSSED = ("fact", "latest", "original", "as_of", "two_hop", "three_hop")


@pytest.fixture(scope="module")
def questions(every):
    return [asked for each in every for asked in each.asked]


@pytest.mark.parametrize("family", CROSSED)
def test_every_form_has_its_share_of_a_crossed_family(questions, family):
    forms = Counter(asked.form for asked in questions if asked.question.family == family)
    total = sum(forms.values())
    assert forms["yes_no"] / total == pytest.approx(0.25, abs=0.07)
    for form in VALUE_FORMS:
        assert forms[form] / total == pytest.approx(0.19, abs=0.09)


@pytest.mark.parametrize("family", FAMILIES)
def test_yes_and_no_are_balanced(questions, family):
    rows = [a for a in questions if a.question.family == family and a.form == "yes_no"]
    if not rows:
        assert family == "holder"
        return
    yes = sum(asked.question.answer == "yes" for asked in rows)
    assert yes / len(rows) == pytest.approx(0.5, abs=2.5 / len(rows) ** 0.5 / 2)


def test_either_person_of_an_order_is_named_first_half_of_the_time(questions):
    rows = [a for a in questions if a.question.family == "order" and a.form == "name"]
    first = sum(
        a.question.text.rfind(a.question.answer) < max(a.question.text.rfind(n) for n in _named(a))
        for a in rows
    )
    assert first / len(rows) == pytest.approx(0.5, abs=0.08)


def _named(asked):
    return [asked.question.answer, *(value for _, value in asked.mistakes)]


def test_numbers_have_several_lengths_and_names_both(questions):
    lengths: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for asked in questions:
        if asked.question.family in CROSSED and asked.form in ("name", "number", "word"):
            lengths[asked.form][len(asked.question.answer)] += 1
    assert set(lengths["number"]) == {3, 4, 5}
    assert set(lengths["name"]) == set(lengths["word"]) == {4, 6}
    for counts in lengths.values():
        assert min(counts.values()) / sum(counts.values()) > 0.15


@pytest.mark.parametrize(
    ("family", "least", "most"),
    [("as_of", 0.4, 0.65), ("when", 0.5, 0.75), ("order", 0.05, 0.4), ("fact", 0, 0)],
)
def test_a_known_share_needs_the_days(questions, family, least, most):
    rows = [asked for asked in questions if asked.question.family == family]
    assert least <= sum(asked.needs_days for asked in rows) / len(rows) <= most


def test_a_known_share_of_chunks_does_not_tell_its_day(every):
    headers = Counter(header for each in every for header in each.world.headers)
    assert headers["none"] / sum(headers.values()) == pytest.approx(0.63, abs=0.08)
    assert headers["relative"] / sum(headers.values()) > 0.08


def test_the_wording_does_not_tell_whether_an_item_changed(questions):
    """`fact` and `latest` are asked in the same words, in like shares."""
    shares = {}
    for family in ("fact", "latest"):
        rows = [a.wording.split("/") for a in questions if a.question.family == family]
        counts = Counter((kind, at) for kind, at, *_ in rows)
        shares[family] = {key: count / len(rows) for key, count in counts.items()}
    assert set(shares["fact"]) == set(shares["latest"])
    for key, share in shares["fact"].items():
        assert share == pytest.approx(shares["latest"][key], abs=0.08)


def test_wordings_of_a_split_are_met_there_alone(lab):
    for split, rows in lab.items():
        asked = Counter(asking.owner(a.wording) for each in rows for a in each.asked)
        said = Counter(frames.owner(w) for each in rows for a in each.asked for w in a.statements)
        for counts in (asked, said):
            assert set(counts) <= {"train", split}
            share = counts[split] / sum(counts.values())
            assert share == 1 if split == "train" else 0.15 < share < 0.55


def test_every_hop_has_three_candidates(every):
    for each in every:
        for query in each.queries:
            for how, what in query.hops:
                if how != "trade" and query.kind == "value":
                    assert sum(tie.role == what for tie in each.world.ties) >= 3
            if query.hops and query.attribute:
                holders = [item for item in each.world.items if item[1] == query.attribute]
                assert len(holders) >= 3


def test_answers_of_a_count_are_not_all_one(questions):
    counts = Counter(a.question.answer for a in questions if a.wording.startswith("ask-count"))
    assert counts.most_common(1)[0][1] / sum(counts.values()) < 0.7


def test_one_family_is_held_out():
    assert [family.name for family in FAMILIES.values() if family.held_out] == ["holder"]
