"""Words: questions avoid those of statements; every word by itself occurs in training."""

import re
from itertools import product
from string import Formatter

import pytest

from latentcomp.corpus.chronicle4 import asking, frames, lexicon
from latentcomp.corpus.chronicle4.solver_words import ASKED, SAID
from latentcomp.corpus.chronicle4.strings import SYLLABLES, TAKEN

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


KINDS_OF_ITEMS = [k for k in frames.FRAMES if k not in ("trade", "line", "line_swap", "line_move")]
CELLS = [
    (kind, attribute.key, noun)
    for kind, attribute in product(KINDS_OF_ITEMS, lexicon.ATTRIBUTES)
    for noun in attribute.said
]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_held_out_statement_is_of_words_met_in_training(split):
    met = [frames.wordings(*cell, "train", False) for cell in CELLS]
    own = [frames.wordings(*cell, split, False) for cell in CELLS]
    assert all(met)
    assert not {w for ids in met for w in ids} & {w for ids in own for w in ids}
    trained = {(w.split("/")[0], w.split("/")[1]) for ids in met for w in ids}
    assert trained == {(k, str(at)) for k in KINDS_OF_ITEMS for at in range(len(frames.FRAMES[k]))}
    share = sum(map(len, own)) / sum(len(frames._cell(*cell)) for cell in CELLS)
    assert share == pytest.approx({"validation": 0.1, "test": 0.2}[split], abs=0.05)


def test_events_told_late_have_a_wording_in_training():
    for cell in CELLS:
        assert cell[0] not in ("set", "update") or frames.wordings(*cell, "train", True)


def test_every_template_and_noun_of_a_question_is_met_in_training():
    nouns = set()
    for kind, texts in asking.WORDS.items():
        met = set()
        for attribute in lexicon.ATTRIBUTES:
            for wording in asking.wordings(kind, attribute.key, "train"):
                met.add(wording.split("/")[1])
                nouns.add((wording.split("/")[3], kind in ("value", "is_value")))
        assert met == {str(at) for at in range(len(texts))}
    asked = {noun for a in lexicon.ATTRIBUTES for noun in a.asked}
    assert nouns == set(product(asked, (True, False)))


def test_slots_of_questions_are_known():
    known = {"P", "Ps", "A", "As", "B", "Bs", "q", "qs", "Wh", "is", "Is", "first", "on", "x"}
    known |= {"np", "same", "role", "d", "have"}
    for texts in asking.WORDS.values():
        for text in texts:
            assert {name for _, name, _, _ in Formatter().parse(text) if name} <= known


def test_the_solver_knows_the_same_words_from_a_table_of_its_own():
    assert {noun: a.key for a in lexicon.ATTRIBUTES for noun in a.said} == SAID
    assert {noun: a.key for a in lexicon.ATTRIBUTES for noun in a.asked} == ASKED
