"""The lab tokenizer: syllables, words of the templates, single digits; bytes for the rest."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.chronicle.names import SYLLABLES
from latentcomp.lab import tokenizer as lab
from latentcomp.lab.architecture import END_ID, VOCABULARY

from ..train import tiny

NAMES = st.lists(st.sampled_from(SYLLABLES), min_size=2, max_size=3).map("".join)
TOKENIZER = tiny.tokenizer


def encode(text):
    return TOKENIZER()(text, add_special_tokens=False)["input_ids"]


def pieces(text):
    return [TOKENIZER().decode([number]) for number in encode(text)]


def test_the_vocabulary_fits_the_models():
    assert len(TOKENIZER()) <= VOCABULARY
    assert TOKENIZER().eos_token_id == TOKENIZER().bos_token_id == END_ID
    assert encode(lab.END_TOKEN) == [END_ID]


@pytest.mark.parametrize("syllable", SYLLABLES)
def test_every_syllable_is_one_token(syllable):
    for text in (syllable, f" {syllable}", f" {syllable.capitalize()}"):
        assert pieces(text) == [text]


@given(NAMES, st.booleans())
def test_a_name_is_spelled_by_its_syllables_seen_or_not(name, capital):
    """So a name of the test split is made of the pieces that those of the training split have."""
    word = name.capitalize() if capital else name
    tokens = pieces(f" {word}")
    assert [piece.strip().lower() for piece in tokens] == re.findall("..", name)
    assert len(tokens) > 1, "no name is one token"


@given(st.text("0123456789", min_size=1, max_size=9))
def test_digits_stand_alone(digits):
    assert pieces(digits) == list(digits)
    assert [piece for piece in pieces(f"day {digits}.") if piece.isdigit()] == list(digits)


@given(st.text(max_size=60))
def test_round_trip_of_any_text(text):
    ids = encode(text)
    assert all(0 <= number < len(TOKENIZER()) for number in ids)
    if lab.END_TOKEN not in text:
        assert TOKENIZER().decode(ids) == text


@pytest.mark.parametrize("index", range(3))
def test_round_trip_of_documents(index):
    document = tiny.story(index, 8, split="test").document
    assert TOKENIZER().decode(encode(document.text)) == document.text
    # Words of the templates are one token: a chunk has few more tokens than words and digits.
    words = len(re.findall(r"[A-Za-z]+|\d|[^\w\s]", document.text))
    assert len(encode(document.text)) < 1.6 * words


WORDS = (" password", " guild", " latest", "Day", " Correction", "Question", "Answer", "Notes")


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_templates_are_one_token(word):
    assert len(encode(word)) == 1


def test_no_token_holds_a_name():
    """Read off the vocabulary itself: no entry is two syllables unless a template has it."""
    two = re.compile(rf"(?:{'|'.join(SYLLABLES)}){{2,3}}")
    from latentcomp.corpus.chronicle import render, summary

    told = " ".join(
        str(value) for module in (render, summary) for value in vars(module).values()
    ).lower()
    entries = {token.replace(lab.SPACE, "").lower() for token in TOKENIZER().get_vocab()}
    doubtful = {entry for entry in entries if two.fullmatch(entry)}
    for document in (tiny.story(index, 9).document for index in range(20)):
        names = set(re.findall(r"(?<![.:?] )(?<!^)\b[A-Z][a-z]+", document.text))
        assert not {name.lower() for name in names if two.fullmatch(name.lower())} & (
            doubtful - set(told.split())
        )


def test_the_tokenizer_is_a_function_of_its_seed():
    again = lab.build_tokenizer(0)
    assert again.backend_tokenizer.to_str() == TOKENIZER().backend_tokenizer.to_str()


def test_it_comes_back_from_its_folder(tmp_path):
    from transformers import AutoTokenizer

    lab.save_tokenizer(TOKENIZER(), tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = tiny.story(0).document.text
    assert loaded(text, add_special_tokens=False)["input_ids"] == encode(text)
