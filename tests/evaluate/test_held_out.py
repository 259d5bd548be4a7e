"""Which documents an evaluation is of, and what a reader of its figures has to know of them."""

import json
from dataclasses import replace

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle4 import chronicle
from latentcomp.corpus.files import corpus_sha256, write_corpus
from latentcomp.corpus.generators import GENERATORS
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.held_out import Source, held_out, known_names, undated_in_text


def made(name, text="Day 3. Ada lives in Rome.", day=3, with_question=True):
    question = Question(f"{name}/q0", "fact", "Where?", "Rome")
    return Document(name, (Chunk(0, text, day),), (question,) if with_question else ())


def test_generated_documents_are_of_the_test_split_and_say_so():
    held = held_out(None, "lab", 3, 7)
    assert held.documents == tuple(chronicle.generate("lab", "test", 3, 7))
    assert held.source == Source(
        sha256=corpus_sha256(held.documents),
        preset="lab",
        split="test",
        seed=7,
        generator=chronicle.GENERATOR_VERSION,
    )


def test_a_given_corpus_is_named_by_its_path_and_its_own_hash(tmp_path):
    documents = (made("a"), made("b"), made("c", with_question=False))
    meta = {"preset": "lab", "split": "train", "seed": 3, "generator": "new"}
    written = write_corpus(tmp_path / "corpus", documents, meta)
    held = held_out(tmp_path / "corpus", "qwen3-30b", 9, 1)
    assert held.documents == documents[:2], "those with questions"
    assert held.source.sha256 == written.sha256 == corpus_sha256(documents)
    assert held.source.path == str(tmp_path / "corpus")
    assert (held.source.preset, held.source.split, held.source.seed) == ("lab", "train", 3)
    assert held.source.generator is None, "not of a kind that is known here"


def test_one_document_is_too_few(tmp_path):
    write_corpus(tmp_path / "corpus", (made("a"), made("b", with_question=False)), {})
    with pytest.raises(CorpusError, match="1 documents with questions"):
        held_out(tmp_path / "corpus", "lab", 2, 1)


def test_days_that_the_text_does_not_name_are_counted():
    right, wrong = made("a", "Day 3. Yes."), made("b", "Day 31, or 13. No.")
    undated = made("c", "No day at all.", day=None)
    assert undated_in_text([right, undated]) == ""
    assert undated_in_text([right, wrong, undated]).startswith("1 of 2 dated chunks do not name")
    assert undated_in_text([replace(right, chunks=(*right.chunks, *wrong.chunks))]).startswith(
        "1 of 2"
    )


def test_days_that_the_ceiling_reads_elsewhere_are_not_missed():
    chunk = Chunk(0, "No day.", 3, "Day 3. No day.")
    assert undated_in_text([replace(made("a"), chunks=(chunk,))]) == ""
    other = replace(chunk, dated_text="Day 31. No day.")
    assert undated_in_text([replace(made("a"), chunks=(chunk, other))]).startswith("1 of 2")


@pytest.mark.parametrize(("split", "said"), [("train", True), ("test", False), (None, False)])
def test_documents_of_the_training_split_are_called_so(split, said):
    assert bool(known_names(Source(sha256="e" * 64, split=split))) is said


@pytest.mark.parametrize("version", GENERATORS)
def test_the_ceiling_reads_the_day_of_every_generated_chunk(version):
    assert undated_in_text(GENERATORS[version].generate("lab", "test", 12, 1)) == ""


def test_a_source_is_json(tmp_path):
    source = Source(sha256="e" * 64, path="mine.jsonl")
    assert Source.model_validate(json.loads(source.model_dump_json())) == source
