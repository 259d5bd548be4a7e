"""The same arguments give the same bytes; sizes, errors and what the twins differ in."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle4.chronicle import (
    GENERATOR_VERSION,
    chronicle,
    chronicles,
    generate,
)
from latentcomp.corpus.chronicle4.presets import PRESETS
from latentcomp.corpus.chronicle4.strings import SPLITS, split_of

from . import record

ROOT = Path(__file__).parents[3]


def test_the_fingerprints_are_those_on_record():
    assert record.fingerprints()[str(GENERATOR_VERSION)] == record.golden()[str(GENERATOR_VERSION)]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_bytes_do_not_depend_on_the_hash_seed(seed):
    code = "from tests.corpus.chronicle4 import record; print(record.fingerprint('lab'))"
    environment = os.environ | {
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / ".dev")]),
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == record.golden()[str(GENERATOR_VERSION)]["lab"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(SPLITS))
def test_a_document_is_a_function_of_split_seed_and_index(seed, index, split):
    one, other = (chronicle(PRESETS["lab"], split, seed, index) for _ in range(2))
    assert (one.document, one.asked, one.dated) == (other.document, other.asked, other.dated)


def test_a_document_does_not_depend_on_how_many_are_asked_for():
    few, many = (list(generate("lab", "test", count, 3)) for count in (2, 4))
    assert few == many[:2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tiny", "test", 1, 0), "unknown corpus preset 'tiny'"),
        (("lab", "dev", 1, 0), "unknown split 'dev'"),
        (("lab", "test", 0, 0), "a corpus of 0 documents"),
        (("lab", "test", 1, -1), "seed -1 is negative"),
    ],
)
def test_mistakes_are_told(arguments, said):
    with pytest.raises(CorpusError, match=said):
        chronicles(*arguments)


def test_names_and_values_belong_to_their_split(lab):
    for split in SPLITS:
        for each in lab[split]:
            assert all(split_of(person) == split for person in each.world.people)
            for item, history in each.world.histories.items():
                if item[1] not in ("coat", "door", "flag"):
                    assert all(split_of(setting.value) == split for setting in history)


def test_twins_differ_in_days_alone(every):
    header = re.compile(r"^(?:Day [0-9]+|[A-Z][a-z]+ days? later)\.\s?")
    for each in every[:60]:
        bare = [chunk.text for chunk in each.undated_document().chunks]
        for twin in (each.document, each.dated_document()):
            assert [header.sub("", chunk.text) for chunk in twin.chunks] == bare
        for chunk in each.dated_document().chunks:
            assert re.match(rf"Day {chunk.day}\.", chunk.text)


def test_spans_are_whole_sentences(every):
    for each in every[:60]:
        twin = each.dated_document()
        for asked in each.asked:
            for span in asked.spans:
                text = each.document.chunks[span.chunk].text
                said = text[span.start : span.end]
                assert said.endswith(".") and said[0].isupper() and ". " not in said
                assert span.start == 0 or text[span.start - 1] == " "
            plain = [_said(each.document.chunks, span) for span in asked.spans]
            assert plain == [_said(twin.chunks, span) for span in each.dated_spans(asked)]


def _said(chunks, span):
    return chunks[span.chunk].text[span.start : span.end]


def test_long_documents_update_one_item_tens_of_times():
    for each in chronicles("long", "test", 3, 2):
        assert max(len(history) for history in each.world.histories.values()) > 14
