"""The same arguments give the same bytes; sizes, errors and what the twins differ in."""

import json
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
from latentcomp.corpus.files import corpus_sha256
from latentcomp.corpus.generators import GENERATORS

from . import record

ROOT = Path(__file__).parents[3]
GENERATION = ROOT / "docs" / "results" / "generation.json"


def test_the_fingerprints_are_those_on_record():
    assert record.fingerprints()[str(GENERATOR_VERSION)] == record.golden()[str(GENERATOR_VERSION)]


@pytest.mark.parametrize("version", GENERATORS)
@pytest.mark.parametrize("index", [0, 7, 31])
def test_a_document_to_learn_from_has_the_same_text_and_questions(version, index):
    """And evidence; what it lacks is empty or None, as where a source does not say it."""
    make = GENERATORS[version].live
    whole, short = (
        make("lab", "train", 3, 2, training=short).document(index) for short in (False, True)
    )
    assert whole.text == short.text and [c.day for c in whole.chunks] == [
        c.day for c in short.chunks
    ]
    shared = ("question_id", "family", "text", "answer", "evidence", "held_out", "bucket")
    for one, other in zip(whole.questions, short.questions, strict=True):
        assert all(getattr(one, name) == getattr(other, name) for name in shared)
        for name in ("needs_days", "asked_after", "mistakes", "hops"):
            assert getattr(other, name) in (None, (), getattr(one, name))
            assert version != GENERATOR_VERSION or not getattr(other, name)


def test_documents_are_those_that_another_machine_made():
    """Of the record of how fast they are made (benchmarks/generation.py)."""
    recorded = json.loads(GENERATION.read_bytes())
    seed = recorded["provenance"]["seeds"]["documents"]
    make = GENERATORS[recorded["generator"]].live
    live = make(recorded["preset"], "train", seed, recorded["questions_per_family"])
    count = recorded["first"]["documents"]
    assert corpus_sha256(map(live.document, range(count))) == recorded["first"]["sha256"]


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
