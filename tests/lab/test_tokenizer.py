"""The lab tokenizer: syllables, words of the templates, single digits; bytes for the rest."""

import json
import re
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.lexicon import ATTRIBUTES, plural
from latentcomp.corpus.chronicle4.strings import SYLLABLES, TAKEN
from latentcomp.lab import tokenizer as lab
from latentcomp.lab.architecture import END_ID, VOCABULARY

NAMES = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=3).map("".join)
TOKENIZER = lab.build_tokenizer()
PLURALS = {plural(noun) for a in ATTRIBUTES for noun in (*a.said, *a.asked)}

WHOLE = tuple(
    entry
    for token in TOKENIZER.get_vocab()
    if re.fullmatch(
        f"(?:{'|'.join(SYLLABLES)}){{2,}}", (entry := token.replace(lab.SPACE, "")).lower()
    )
)
"""Entries of two and more syllables, as they are written: words of the templates."""


@pytest.fixture(scope="module")
def documents():
    """Of both sizes that the lab models read."""
    return [*chronicles("lab", "test", 150, 3), *chronicles("long", "test", 6, 3)]


def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


def pieces(text):
    return [TOKENIZER.decode([number]) for number in encode(text)]


def test_the_vocabulary_fits_the_models():
    assert len(TOKENIZER) <= VOCABULARY
    assert TOKENIZER.eos_token_id == TOKENIZER.bos_token_id == END_ID
    assert encode(lab.END_TOKEN) == [END_ID]


@pytest.mark.parametrize("syllable", SYLLABLES)
def test_every_syllable_is_one_token(syllable):
    for text in (syllable, f" {syllable}", f" {syllable.capitalize()}", syllable.capitalize()):
        assert pieces(text) == [text]


@given(NAMES, st.booleans(), st.sampled_from([" ", "\n"]))
def test_a_name_is_spelled_by_its_syllables_seen_or_not(name, capital, before):
    """So a name of the test split is made of the pieces that those of the training split have.

    But for what begins with a word of the templates, as `Someka` and `Some` do.
    """
    word = name.capitalize() if capital else name
    assume(not word.startswith(WHOLE))
    tokens = [piece for piece in pieces(f"{before}{word}") if piece != "\n"]
    assert [piece.strip().lower() for piece in tokens] == re.findall("..", name)
    assert len(tokens) > 1, "no name is one token"


@given(st.text("0123456789", min_size=1, max_size=9))
def test_digits_stand_alone(digits):
    assert pieces(digits) == list(digits)
    assert [piece for piece in pieces(f"day {digits}.") if piece.isdigit()] == list(digits)


@given(st.text(max_size=60))
def test_round_trip_of_any_text(text):
    ids = encode(text)
    assert all(0 <= number < len(TOKENIZER) for number in ids)
    if lab.END_TOKEN not in text:
        assert TOKENIZER.decode(ids) == text


def told(each):
    """Everything that a model reads of a document, or writes."""
    questions = [f"\nQuestion: {q.text}\nAnswer: {q.answer}" for q in each.document.questions]
    dated = each.dated_document().text
    texts = (each.document.text, dated, f"Notes: {each.document.summary}", *questions)
    return (*texts, "\nSummary in 128 tokens:")


def open_words(each):
    """Names and values of a document, wished and rumoured ones included."""
    values = {setting.value for history in each.world.histories.values() for setting in history}
    return set(each.world.people) | values | {act.value for act in each.world.acts}


def test_round_trip_of_documents(documents):
    for each in documents[:20]:
        for text in told(each):
            assert TOKENIZER.decode(encode(text)) == text


def test_every_word_after_a_space_is_one_token_but_for_names_and_plurals(documents):
    """Everything else of a document, its questions and notes: there is no other word."""
    spelled: Counter[str] = Counter()
    known = TOKENIZER.get_vocab()
    split = TOKENIZER.backend_tokenizer.pre_tokenizer
    for each in documents:
        names = open_words(each)
        for text in told(each):
            words = (piece for piece, _ in split.pre_tokenize_str(text))
            for piece in words:
                word = piece.removeprefix(lab.SPACE)
                if word != piece and word.isalpha() and word not in names | PLURALS:
                    spelled[word] += piece not in known
    assert len(spelled) > 250
    assert not +spelled


def test_a_document_has_few_more_tokens_than_words_and_digits(documents):
    for each in documents:
        text = each.document.text
        words = len(re.findall(r"[A-Za-z]+|\d|[^\w\s]", text))
        assert len(encode(text)) < 1.4 * words


def test_no_token_holds_a_name_but_words_that_no_name_may_be():
    """And `befo`, the better part of one of them."""
    assert all(any(word.startswith(entry) for word in TAKEN) for entry in map(str.lower, WHOLE))
    assert {*map(str.lower, WHOLE)} - {*TAKEN} == {"befo"}


def test_there_is_one_tokenizer():
    """The same in every process: it hangs on no seed and no document."""
    again = lab.build_tokenizer().backend_tokenizer.to_str()
    assert again == TOKENIZER.backend_tokenizer.to_str()
    assert len(set(json.loads(again)["model"]["vocab"].values())) == len(TOKENIZER)


def test_it_comes_back_from_its_folder(tmp_path, documents):
    from transformers import AutoTokenizer

    lab.save_tokenizer(TOKENIZER, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = documents[0].document.text
    assert loaded(text, add_special_tokens=False)["input_ids"] == encode(text)
