"""Splits share no name and no value: nothing learned of one can be used in another."""

import random
import re
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.corpus.chronicle.names import SPLITS, Vocabulary, split_of
from latentcomp.corpus.chronicle.presets import PRESETS
from latentcomp.corpus.chronicle.statements import NAME, VALUE, parse_chunks

words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


@given(words)
def test_a_word_has_one_split_whatever_its_case(word):
    assert split_of(word) in SPLITS
    assert split_of(word) == split_of(word.upper()) == split_of(word.capitalize())


@given(st.integers(0, 2**32), st.sampled_from(SPLITS), st.sampled_from(sorted(PRESETS)))
def test_a_vocabulary_draws_from_its_split_and_never_twice(seed, split, preset):
    vocabulary = Vocabulary(random.Random(seed), split, PRESETS[preset])
    drawn = [
        *(vocabulary.name() for _ in range(5)),
        *(vocabulary.word() for _ in range(5)),
        *(vocabulary.digits(4) for _ in range(5)),
        *(vocabulary.room() for _ in range(5)),
    ]
    assert {split_of(word) for word in drawn} == {split}
    assert len({word.lower() for word in drawn}) == len(drawn)


def named_in(documents):
    """Names and values of documents, as the solver's reader finds them in the text."""
    words = set()
    for document in documents:
        for statement in parse_chunks([chunk.text for chunk in document.chunks]).statements:
            place = statement.topic.rpartition(" at ")[2]
            texts = [statement.subject.removeprefix("the "), statement.value, place]
            words |= set(chain.from_iterable(re.findall(NAME, text) for text in texts))
            if statement.topic != "arrival":  # its value is a day
                words.add(statement.value)
    return words


def words_in(documents):
    """Every word and number of documents, questions and summaries, days left out."""
    words = set()
    for document in documents:
        texts = [document.text, document.summary]
        texts += [question.text for question in document.questions]
        texts += [q.answer for q in document.questions if q.family != "when"]
        for text in texts:
            words |= set(re.findall(VALUE, re.sub(r"\b[Dd]ay \d+", "", text)))
    return words


@pytest.mark.parametrize("preset", ["lab", "qwen"])
def test_names_and_values_of_generated_documents_are_of_their_split(preset, request):
    for split, documents in request.getfixturevalue(preset).items():
        named = named_in(documents)
        assert len(named) > 100
        assert {split_of(word) for word in named} == {split}


def test_what_two_splits_share_is_the_wording_alone(lab):
    named = {split: named_in(documents) for split, documents in lab.items()}
    used = {split: words_in(documents) for split, documents in lab.items()}
    for one, other in combinations(SPLITS, 2):
        assert not named[one] & used[other]
        assert not named[other] & used[one]
        assert used[one] - named[one] == used[other] - named[other]
