"""Words: questions avoid those of statements; every word by itself occurs in training."""

import re
from itertools import product
from string import Formatter

import pytest

from latentcomp.corpus.chronicle4 import asking, frames, lexicon
from latentcomp.corpus.chronicle4.solver_words import ASKED, SAID
from latentcomp.corpus.chronicle4.strings import SPLITS, SYLLABLES, TAKEN

FUNCTION_WORDS = {
    *("a", "an", "and", "as", "at", "by", "did", "do", "does", "for", "had", "has", "have", "in"),
    *("is", "no", "not", "of", "on", "or", "that", "the", "this", "to", "was", "which", "with"),
    *("another", "been", "first", "from", "how", "it", "now", "other", "person", "right", "same"),
}


def words(*texts):
    plain = (re.sub(r"{\w+}", " ", text) for text in texts)
    return {word.lower() for text in plain for word in re.findall("[A-Za-z]+", text)}


STATEMENTS = words(
    *(frame for kind in frames.FRAMES.values() for frame in kind),
    *(said for role in lexicon.ROLES for said in role.said),
    *frames.LEADS,
    *(noun for a in lexicon.ATTRIBUTES for noun in a.said),
)
QUESTIONS = words(
    *(text for kind in asking.WORDS.values() for text in kind),
    *(noun for a in lexicon.ATTRIBUTES for noun in a.asked),
    *lexicon.ROLE_NOUNS,
)


def test_questions_and_statements_share_function_words_alone():
    assert set() == QUESTIONS & STATEMENTS - FUNCTION_WORDS


def test_no_noun_stands_for_two_things():
    nouns = [noun for a in lexicon.ATTRIBUTES for noun in (*a.said, *a.asked)]
    nouns += [*lexicon.ROLE_NOUNS, *lexicon.TRADES]
    assert len(set(nouns)) == len(nouns)


def test_no_made_up_word_is_a_word_of_the_language():
    made_up = {"".join(pair) for count in (2, 3) for pair in _english(count)}
    language = STATEMENTS | QUESTIONS | words(*lexicon.FILLERS) | set(lexicon.TRADES)
    language |= {*lexicon.COLOURS, *lexicon.PLACES_IN_LINE, *lexicon.SMALL_NUMBERS}
    assert made_up & language <= set(TAKEN)


def _english(count):
    if count == 2:
        return product(SYLLABLES, repeat=2)
    return (re.findall("..", w) for w in STATEMENTS | QUESTIONS if re.fullmatch(_MADE_UP, w))


_MADE_UP = f"(?:{'|'.join(SYLLABLES)}){{3}}"


_CELLS_OF = {
    "trade": [(trade, "") for trade in lexicon.TRADES],
    "role": [(role.key, "") for role in lexicon.ROLES],
    **dict.fromkeys(("line", "line_swap", "line_move"), [("", "")]),
}
"""(attribute, role or trade, noun) of the kinds of statement that are not about an item."""
_OF_ITEMS = [(attribute.key, noun) for attribute in lexicon.ATTRIBUTES for noun in attribute.said]
KINDS = [*frames.FRAMES, "role"]
CELLS = {kind: [(kind, *cell) for cell in _CELLS_OF.get(kind, _OF_ITEMS)] for kind in KINDS}
"""By kind of statement, the arguments of `frames.wordings` that there are."""
ROLES_ASKED = ("related", "is_related")
KEYS = {
    kind: [role.key for role in lexicon.ROLES]
    if kind in ROLES_ASKED
    else [""]
    if kind in ("what_to", *asking.OF_LINE)
    else [attribute.key for attribute in lexicon.ATTRIBUTES]
    for kind in asking.WORDS
}
"""By kind of question, the attributes or roles that it is asked of."""


def said(kind, split):
    """Wordings of a kind of statement that are a split's own."""
    return [w for cell in CELLS[kind] for w in frames.wordings(*cell, split, False)]


def asked(kind, split):
    """Likewise of questions."""
    return [w for key in KEYS[kind] for w in asking.wordings(kind, key, split)]


def test_the_tables_of_this_test_are_of_everything_that_is_written(every):
    """Else a kind of wording could be left out of what follows."""
    stated = {wording for kind in KINDS for split in SPLITS for wording in said(kind, split)}
    put = {wording for kind in KEYS for split in SPLITS for wording in asked(kind, split)}
    for each in every:
        sentences = (sentence for body in each.prose.sentences for sentence in body)
        assert {s.wording for s in sentences if not s.wording.startswith("filler/")} <= stated
        assert {question.wording for question in each.asked} <= put


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_noun_role_and_trade_of_a_statement_is_met_in_training(kind):
    met = [wording.split("/") for wording in said(kind, "train")]
    keys = {cell[1] for cell in CELLS[kind]}
    count = {key: len(lexicon.ROLE_OF[key].said) for key in keys} if kind == "role" else {}
    for key in keys if kind == "role" else {""}:
        here = {int(at) for _, at, about, _ in met if key in ("", about)}
        assert here == set(range(count.get(key) or len(frames.FRAMES[kind]))), key
    assert {key for _, _, key, _ in met} == keys
    nouns = {noun for _, _, noun in CELLS[kind]}
    assert {noun for _, _, _, noun in met if not noun.isdigit()} == nouns - {""}


@pytest.mark.parametrize("kind", frames.LED)
def test_every_frame_that_takes_a_lead_in_is_met_without_one_in_training(kind):
    met = {wording.removesuffix("/0") for wording in said(kind, "train") if wording.endswith("/0")}
    assert met == {
        f"{kind}/{at}/{key}"
        for _, key, _ in CELLS[kind]
        for at in range(len(lexicon.ROLE_OF[key].said if key else frames.FRAMES[kind]))
    }


def test_every_lead_in_is_met_in_training():
    met = {int(wording.rsplit("/", 1)[1]) for kind in frames.LED for wording in said(kind, "train")}
    assert met == set(range(len(frames.LEADS)))


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_statements_are_no_ones_else(kind):
    """Every kind of more than one cell has some in both held-out splits."""
    own = {split: set(said(kind, split)) for split in SPLITS}
    assert sum(map(len, own.values())) == len(set.union(*own.values()))
    assert own["train"]
    if len(CELLS[kind]) > 1:
        assert own["validation"] and own["test"]


@pytest.mark.parametrize(("split", "share"), [("validation", 0.1), ("test", 0.2)])
def test_a_known_share_of_the_wordings_is_held_out(split, share):
    """Of statements; of questions there are fewer, so the share is known less well."""
    wordings = {s: sum(len(said(kind, s)) for kind in KINDS) for s in SPLITS}
    assert wordings[split] / sum(wordings.values()) == pytest.approx(share, abs=0.05)
    questions = {s: sum(len(asked(kind, s)) for kind in KEYS) for s in SPLITS}
    assert questions[split] / sum(questions.values()) == pytest.approx(share, abs=0.06)


def test_events_told_late_have_a_wording_in_training():
    for kind in ("set", "update"):
        for cell in CELLS[kind]:
            assert frames.wordings(*cell, "train", True)


@pytest.mark.parametrize("kind", asking.WORDS)
def test_every_template_role_and_question_word_is_met_in_training(kind):
    met = [wording.split("/") for wording in asked(kind, "train")]
    assert {int(at) for _, at, _, _, _ in met} == set(range(len(asking.WORDS[kind])))
    assert {key for _, _, key, _, _ in met} == set(KEYS[kind])
    several = any("{Wh}" in text for text in asking.WORDS[kind])
    assert {word for *_, word in met} == ({"0", "1"} if several else {"0"})


@pytest.mark.parametrize("kinds", [("value", "is_value"), set(KEYS) - {"value", "is_value"}])
def test_every_noun_of_a_question_is_met_in_training(kinds):
    """In plain questions of what something is, and in others."""
    met = {wording.split("/")[3] for kind in kinds for wording in asked(kind, "train")}
    assert met >= {noun for a in lexicon.ATTRIBUTES for noun in a.asked}
    for kind in set(asking.OF_LINE) & set(kinds):
        here = {wording.split("/")[3] for wording in asked(kind, "train")}
        assert here == set(asking.LINE_NOUNS)


def test_slots_of_questions_are_known():
    known = {"P", "Ps", "A", "As", "B", "Bs", "q", "qs", "Wh", "is", "Is", "first", "on", "x"}
    known |= {"np", "same", "role", "d", "have"}
    for texts in asking.WORDS.values():
        for text in texts:
            assert {name for _, name, _, _ in Formatter().parse(text) if name} <= known


def test_the_solver_knows_the_same_words_from_a_table_of_its_own():
    assert {noun: a.key for a in lexicon.ATTRIBUTES for noun in a.said} == SAID
    assert {noun: a.key for a in lexicon.ATTRIBUTES for noun in a.asked} == ASKED
