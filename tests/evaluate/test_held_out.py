"""Which documents an evaluation is of, and whether the checkpoint has met them before."""

import json
from dataclasses import replace

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.chronicle.generator import GENERATOR_VERSION
from latentcomp.corpus.files import corpus_sha256, write_corpus
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.held_out import (
    HeldOutSet,
    Source,
    Training,
    held_out,
    known_names,
    undated_in_text,
)


def made(name, text="Day 3. Ada lives in Rome.", day=3, asked=True):
    question = Question(f"{name}/q0", "fact", "Where?", "Rome")
    return Document(name, (Chunk(0, text, day),), (question,) if asked else ())


def held(*documents, sha256="e" * 64):
    return HeldOutSet(documents, Source(sha256=sha256, path="mine"))


def test_generated_documents_are_of_the_test_split_and_say_so():
    found = held_out(None, "lab", 3, 7)
    assert found.documents == tuple(generate("lab", "test", 3, 7))
    assert found.source == Source(
        sha256=corpus_sha256(found.documents),
        preset="lab",
        split="test",
        seed=7,
        generator=GENERATOR_VERSION,
    )


def test_a_given_corpus_is_named_by_its_path_and_its_own_hash(tmp_path):
    documents = (made("a"), made("b"), made("c", asked=False))
    meta = {"preset": "lab", "split": "train", "seed": 3, "generator": "new"}
    written = write_corpus(tmp_path / "corpus", documents, meta)
    found = held_out(tmp_path / "corpus", "qwen3-30b", 9, 1)
    assert found.documents == documents[:2], "those with questions"
    assert found.source.sha256 == written.sha256 == corpus_sha256(documents)
    assert found.source.path == str(tmp_path / "corpus")
    assert (found.source.preset, found.source.split, found.source.seed) == ("lab", "train", 3)
    assert found.source.generator is None, "not of a kind that is known here"


def test_one_document_is_too_few(tmp_path):
    write_corpus(tmp_path / "corpus", (made("a"), made("b", asked=False)), {})
    with pytest.raises(CorpusError, match="1 documents with questions"):
        held_out(tmp_path / "corpus", "lab", 2, 1)


@pytest.fixture
def run(tmp_path):
    """A run folder with a corpus of two documents; the record of a training on it."""
    written = write_corpus(
        tmp_path / "corpus",
        (made("a", "Day 3. One."), made("b", "Day 3. Two.")),
        {"split": "train"},
    )
    return tmp_path, {"data": {"kind": "store", "corpus_sha256": written.sha256}}


@pytest.mark.parametrize(
    ("documents", "first"),
    [
        ((made("a", "Day 9. Another."), made("z")), "'a'"),
        ((made("y", "Day 9. New."), made("z", "Day 3. Two.")), "'z'"),
    ],
)
def test_documents_of_the_training_corpus_are_refused(run, documents, first):
    folder, record = run
    training = Training.of(record, folder, own=True)
    with pytest.raises(
        CorpusError, match=rf"mine: 1 of 2 documents .* \(first: {first}\)"
    ) as caught:
        training.refuse(held(*documents))
    assert "\n" not in str(caught.value)
    training.refuse(held(made("y", "Day 9. New."), made("z", "Day 8. New.")))


def test_a_corpus_that_an_ancestor_was_trained_on_is_refused(tmp_path):
    begun = {"from": "checkpoint", "history": {"data": {"corpus_sha256": "e" * 64}}}
    training = Training.of({"data": {"kind": "live"}, "start": begun}, tmp_path, own=True)
    with pytest.raises(CorpusError, match="exactly these documents"):
        training.refuse(held(made("y"), made("z")))


def test_the_corpus_of_a_run_is_no_matter_of_a_foreign_checkpoint(run):
    folder, record = run
    Training.of({"data": {"kind": "live"}}, folder, own=False).refuse(held(made("a"), made("z")))
    with pytest.raises(CorpusError):
        Training.of(record, folder, own=False).refuse(held(made("a"), made("z")))


STORE = {"kind": "store", "corpus_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "live"}, ""),
        ({**STORE, "split": "train"}, ""),
        ({**STORE, "split": "test"}, "on the split 'test'"),
        (STORE, "which split the checkpoint was trained on is not recorded"),
        (None, "which split"),
    ],
)
def test_the_split_must_be_known_and_be_the_training_split(tmp_path, data, words):
    told = {} if data is None else {"data": data}
    alone = Training.of(told, tmp_path, own=True).doubt()
    began = {"data": {"kind": "live"}, "start": {"from": "checkpoint", "history": told}}
    assert alone == Training.of(began, tmp_path, own=True).doubt()
    assert words in alone and bool(words) == bool(alone)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"split": "train"}, ""),
        ({"split": "test"}, "'test'"),
        ({"source": "jsonl"}, "not recorded"),
    ],
)
def test_the_run_says_which_split_its_corpus_is_of(tmp_path, meta, words):
    written = write_corpus(tmp_path / "corpus", (made("a"), made("b")), meta)
    record = {"data": {"kind": "store", "corpus_sha256": written.sha256}}
    doubt = Training.of(record, tmp_path, own=True).doubt()
    assert words in doubt and bool(words) == bool(doubt)


def test_days_that_the_text_does_not_name_are_counted():
    told, wrong = made("a", "Day 3. Yes."), made("b", "Day 31, or 13. No.")
    undated = made("c", "No day at all.", day=None)
    assert undated_in_text([told, undated]) == ""
    assert undated_in_text([told, wrong, undated]).startswith("1 of 2 dated chunks do not name")
    assert undated_in_text([replace(told, chunks=(*told.chunks, *wrong.chunks))]).startswith(
        "1 of 2"
    )


@pytest.mark.parametrize(("split", "said"), [("train", True), ("test", False), (None, False)])
def test_documents_of_the_training_split_are_called_so(split, said):
    assert bool(known_names(Source(sha256="e" * 64, split=split))) is said


def test_every_generated_chunk_names_its_day():
    assert undated_in_text(generate("lab", "test", 5, 1)) == ""


def test_a_source_is_json(tmp_path):
    source = Source(sha256="e" * 64, path="mine.jsonl")
    assert Source.model_validate(json.loads(source.model_dump_json())) == source
