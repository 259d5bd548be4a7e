"""Same arguments, same text; and what `generate` refuses."""

import random
from dataclasses import replace

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle import generate, preset
from latentcomp.corpus.chronicle.generator import GENERATOR_VERSION, chronicle
from latentcomp.corpus.chronicle.names import Vocabulary

from . import record


@pytest.mark.parametrize("preset_name", ["lab", "qwen3-30b"])
def test_golden(preset_name):
    """A seed gives the same documents on every machine, for as long as the version stands.

    After a change of the text raise `GENERATOR_VERSION`, then record the new fingerprints with
    `.venv/bin/python tests/corpus/record.py`. Those of earlier versions stay as they are.
    """
    golden = record.golden()
    assert str(GENERATOR_VERSION) in golden, "record it: python tests/corpus/record.py"
    assert record.fingerprint(preset_name) == golden[str(GENERATOR_VERSION)][preset_name]


def test_the_page_about_the_corpus_shows_what_the_generator_gives():
    """Rewritten by the same `.venv/bin/python tests/corpus/record.py`."""
    page = record.PAGE.read_text(encoding="utf-8")
    assert page == record.page_with_blocks(page)


@pytest.mark.parametrize("preset_name", ["lab", "qwen3-30b"])
def test_same_arguments_same_documents(preset_name):
    assert list(generate(preset_name, "test", 2, 5)) == list(generate(preset_name, "test", 2, 5))


def test_a_document_does_not_depend_on_how_many_are_asked_for():
    assert list(generate("lab", "train", 3, 5)) == list(generate("lab", "train", 12, 5))[:3]
    assert (
        chronicle(preset("lab"), "train", 5, 2).document == list(generate("lab", "train", 3, 5))[2]
    )


def test_seed_split_and_index_each_give_another_document():
    texts = [
        next(generate("lab", "train", 1, 5)).text,
        next(generate("lab", "train", 1, 6)).text,
        next(generate("lab", "test", 1, 5)).text,
        list(generate("lab", "train", 2, 5))[1].text,
    ]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("preset_name", ["lab", "qwen3-30b"])
def test_days_ascend_within_the_preset_and_chunks_are_as_many_as_it_says(preset_name):
    size = preset(preset_name)
    for document in generate(preset_name, "train", 3, 8):
        days = [chunk.day for chunk in document.chunks if chunk.day is not None]
        assert len(days) == len(document.chunks)
        assert size.chunks[0] <= len(days) <= size.chunks[1]
        assert days == sorted(set(days))
        assert size.days[0] <= days[0] <= days[-1] <= size.days[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("attic", "train", 1, 0), "'attic'.*lab, qwen3-30b"),
        (("lab", "dev", 1, 0), "'dev'.*train, validation, test"),
        (("lab", "train", 0, 0), "0 documents"),
        (("lab", "train", -3, 0), "-3 documents"),
        (("lab", "train", 1, -1), "seed -1"),
    ],
)
def test_bad_arguments_are_refused_before_the_first_document(arguments, named):
    with pytest.raises(CorpusError, match=named) as refused:
        generate(*arguments)
    assert "\n" not in str(refused.value)


def test_a_document_that_uses_up_its_names_is_refused():
    endless = replace(preset("lab"), chunks=(90, 90))
    with pytest.raises(CorpusError, match="test split uses up the names"):
        chronicle(endless, "test", 0, 0)


@pytest.mark.parametrize("draw", [lambda v: v.digits(1), lambda v: v.digits(2)])
def test_a_split_that_uses_up_its_values_is_refused(draw):
    vocabulary = Vocabulary(random.Random(0), "test", preset("lab"))
    with pytest.raises(CorpusError, match="fewer chunks"):
        for _ in range(100):
            draw(vocabulary)
