"""Every token knows its chunk, by the characters that it covers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.models.loading import PromptTemplate
from latentcomp.models.tokens import tokenize_document

THREE = ("On day 3, Ana moved.", "The code is 4711; it was 0815.", "Ana Bel. Corvo!")


def document(*texts, days=None):
    days = days or [None] * len(texts)
    chunks = tuple(
        Chunk(index=i, text=text, day=day)
        for i, (text, day) in enumerate(zip(texts, days, strict=True))
    )
    return Document("d", chunks)


def text_of_chunk(lm, entry, chunk):
    """What the tokens of one chunk spell."""
    ids = np.asarray(entry.token_ids)[np.asarray(entry.chunk_of_token) == chunk]
    return lm.tokenizer.decode(ids)


def test_three_chunks(lm):
    entry = tokenize_document(lm, document(*THREE, days=[3, 5, None]))
    assert entry.document_id == "d"
    assert entry.days == (3, 5, None)
    assert text_of_chunk(lm, entry, 0) == "<|endoftext|>" + THREE[0] + "\n"
    assert text_of_chunk(lm, entry, 1) == THREE[1] + "\n"
    assert text_of_chunk(lm, entry, 2) == THREE[2]


def test_the_whole_text_is_read_in_one_piece(lm):
    whole = document(*THREE)
    ids = np.asarray(tokenize_document(lm, whole).token_ids)
    assert ids.tolist() == lm.encode("<|endoftext|>") + lm.encode(whole.text)


def test_questions_are_named(lm):
    asked = Document("d", (Chunk(0, "Ana"),), (Question("d/q0", "fact", "Who?", "Ana"),))
    assert tokenize_document(lm, asked).question_ids == ("d/q0",)


def merging(lm, *merges):
    """The tokenizer with pre-tokenization off and one token for each of `merges`."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(set("".join(merges) + "abcdefghijklmnopqrstuvwxyz.\n "))
    vocabulary = {token: i for i, token in enumerate([*letters, *merges])}
    pairs = [(merge[:1], merge[1:]) for merge in merges if len(merge) == 2]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="a")
    return type(lm)(
        tokenizer=fast,
        identity=lm.identity,
        prompt=PromptTemplate("", "{question}", "{budget}"),
        context_tokens=lm.context_tokens,
        model=lm.model,
    )


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("\nc", [0, 0, 1, 1]),  # ab|"\nc"|d: the joint token has read "c"
        ("b\n", [0, 0, 1, 1]),  # a|"b\n"|c|d: the separator ends the first chunk
        ("cd", [0, 0, 0, 1]),  # a|b|"\n"|"cd"
    ],
)
def test_a_token_across_the_boundary_belongs_where_it_ends(lm, merge, expected):
    entry = tokenize_document(merging(lm, merge), document("ab", "cd"))
    assert np.asarray(entry.chunk_of_token).tolist() == expected


def test_empty_chunks_between_others_get_their_separator_only(lm):
    entry = tokenize_document(merging(lm, "zz"), document("a", "", "b"))
    assert np.asarray(entry.chunk_of_token).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("text", ["na\u00efve", "\u4f60\u597d", "a\U0001f600b", "e\u0301"])
def test_bytes_of_one_character_stay_together(lm, text):
    entry = tokenize_document(lm, document(text, text))
    chunks = np.asarray(entry.chunk_of_token)
    assert text_of_chunk(lm, entry, 1) == text
    assert (np.diff(chunks) >= 0).all()


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(words, min_size=1, max_size=6))
def test_any_text_is_cut_into_its_chunks(lm, texts):
    """Chunk numbers ascend, one for each token, and every chunk has a token of its own."""
    entry = tokenize_document(lm, document(*texts))
    chunks = np.asarray(entry.chunk_of_token)
    assert len(chunks) == len(np.asarray(entry.token_ids))
    assert (np.diff(chunks) >= 0).all()
    assert set(chunks) == set(range(len(texts)))


def test_an_empty_document_is_refused(lm):
    with pytest.raises(CorpusError, match="document 'd' is empty"):
        tokenize_document(lm, document(""))


def test_a_document_too_long_for_the_model_is_refused(lm):
    words = "0815 " * (lm.context_tokens // 2)
    with pytest.raises(CorpusError, match=r"'d' has [0-9,]+ tokens.*at most 4,096"):
        tokenize_document(lm, document(words))
