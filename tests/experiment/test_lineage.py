"""What some weights were trained on: documents they met are refused, unknown ones are doubted."""

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.held_out import Source
from latentcomp.experiment.lineage import Lineage
from latentcomp.experiment.phases import phase
from latentcomp.train.record import Start, TrialRecord


def made(name, text="Day 3. Ada lives in Rome.", day=3):
    question = Question(f"{name}/q0", "fact", "Where?", "Rome")
    return Document(name, (Chunk(0, text, day),), (question,))


def trial(data, *, history=None):
    """The record of a trial on some data, begun from weights of another one or fresh."""
    start = Start(origin="fresh" if history is None else "checkpoint", history=history)
    return TrialRecord(recipe=phase(1).recipe, seed=0, data=data, start=start)


def refuse(lineage, *documents, sha256="e" * 64):
    lineage.refuse(documents, Source(sha256=sha256, path="mine"))


@pytest.fixture
def run(tmp_path):
    """A run's corpus of two documents; the record of a trial on it."""
    written = write_corpus(
        tmp_path / "corpus",
        (made("a", "Day 3. One."), made("b", "Day 3. Two.")),
        {"split": "train"},
    )
    return tmp_path / "corpus", trial({"kind": "store", "corpus_sha256": written.sha256})


@pytest.mark.parametrize(
    ("documents", "first"),
    [
        ((made("a", "Day 9. Another."), made("z")), "'a'"),
        ((made("y", "Day 9. New."), made("z", "Day 3. Two.")), "'z'"),
    ],
)
def test_documents_of_the_training_corpus_are_refused(run, documents, first):
    corpus, record = run
    lineage = Lineage.of(record, corpus, own=True)
    with pytest.raises(
        CorpusError, match=rf"mine: 1 of 2 documents .* \(first: {first}\)"
    ) as caught:
        refuse(lineage, *documents)
    assert "\n" not in str(caught.value)
    refuse(lineage, made("y", "Day 9. New."), made("z", "Day 8. New."))


LONG = ("Ada lives in Rome.", "Bea moved to Lyon.", "Cid keeps bees.", "Dov sold the boat.")


def long(name, texts, days=(1, 2, 3, 4)):
    chunks = tuple(
        Chunk(i, text, day) for i, (text, day) in enumerate(zip(texts, days, strict=True))
    )
    return Document(name, chunks, (Question(f"{name}/q0", "fact", "Where?", "Rome"),))


@pytest.mark.parametrize(
    ("texts", "refused"),
    [
        (LONG, True),  # another id
        (tuple(f" {text}\n" for text in LONG), True),
        (tuple(text.upper().replace(".", " !") for text in LONG), True),
        ((LONG[3], LONG[1], LONG[0], LONG[2]), True),  # in another order
        ((*LONG[:2], "Eve is new here.", "Fay came as well."), True),  # half of it
        ((LONG[0], "Eve is new here.", "Fay came as well.", "Gus stayed away."), False),
        (("Eve is new here.", "Fay came as well.", "Gus stayed away.", "Hal slept."), False),
        (("Ada lives in Oslo.", "Bea moved to Bonn.", "Cid keeps cats.", "Dov has a boat."), False),
    ],
)
def test_a_training_document_is_known_by_what_it_says(tmp_path, texts, refused):
    """Renamed, spaced, in capitals, shuffled or with new parts, it was trained on all the same."""
    written = write_corpus(tmp_path / "corpus", (long("a", LONG), made("b")), {"split": "train"})
    record = trial({"kind": "store", "corpus_sha256": written.sha256})
    lineage = Lineage.of(record, tmp_path / "corpus", own=True)
    if refused:
        with pytest.raises(CorpusError, match=r"by most of their text \(first: 'other'\)"):
            refuse(lineage, long("other", texts), made("z", "Day 1. Nothing of that."))
    else:
        refuse(lineage, long("other", texts), made("z", "Day 1. Nothing of that."))


def test_a_corpus_that_an_ancestor_was_trained_on_is_refused(tmp_path):
    ancestor = trial({"corpus_sha256": "e" * 64})
    for history in (ancestor, trial({"kind": "live"}, history=ancestor)):
        lineage = Lineage.of(trial({"kind": "live"}, history=history), tmp_path, own=True)
        with pytest.raises(CorpusError, match="exactly these documents"):
            refuse(lineage, made("y"), made("z"))


def test_the_corpus_of_a_run_is_no_matter_of_a_foreign_checkpoint(run):
    corpus, record = run
    foreign = Lineage.of(trial({"kind": "live"}), corpus, own=False)
    refuse(foreign, made("a"), made("z"))
    with pytest.raises(CorpusError):
        refuse(Lineage.of(record, corpus, own=False), made("a"), made("z"))


TEST = Source(sha256="e" * 64, preset="lab", split="test", seed=7, generator=3)
STORE = {"kind": "store", "corpus_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "live"}, ""),
        ({**STORE, "split": "train"}, ""),
        ({**STORE, "split": "test"}, "on the split 'test'"),
        (STORE, "which split the checkpoint was trained on is not recorded"),
        ({}, "which split"),
    ],
)
def test_the_split_must_be_known_and_be_the_training_split(tmp_path, data, words):
    alone = Lineage.of(trial(data), tmp_path, own=True).doubt(TEST)
    later = trial({"kind": "live"}, history=trial(data))
    assert alone == Lineage.of(later, tmp_path, own=True).doubt(TEST)
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
    record = trial({"kind": "store", "corpus_sha256": written.sha256})
    doubt = Lineage.of(record, tmp_path / "corpus", own=True).doubt(TEST)
    assert words in doubt and bool(words) == bool(doubt)


@pytest.mark.parametrize(
    ("data", "meta", "asked", "words"),
    [
        ({"kind": "live", "generator": 3}, None, 4, "generator 3, these are of generator 4"),
        ({"kind": "live", "generator": 4}, None, None, "generator 4, these are of generator 3"),
        ({"kind": "live", "generator": 4}, None, 4, ""),
        ({"kind": "live", "generator": None}, None, 4, ""),  # of no generator
        ({"kind": "store"}, {"split": "train", "preset": "lab", "generator": 4}, 4, ""),
        ({"kind": "store"}, {"split": "train", "preset": "lab", "generator": 4}, 3, "generator 4"),
        ({"kind": "store"}, {"split": "train", "preset": "lab"}, 4, "generator 3"),
        ({"kind": "store"}, {"split": "train", "preset": "lab"}, None, ""),
    ],
)
def test_figures_on_another_world_are_not_judged(tmp_path, data, meta, asked, words):
    """Training and held-out documents are of one generator; those that do not say are of 3."""
    if meta is not None:
        written = write_corpus(tmp_path / "corpus", (made("a"), made("b")), meta)
        data = {**data, "corpus_sha256": written.sha256}
    lineage = Lineage.of(trial(data), tmp_path / "corpus", own=True)
    doubt = lineage.doubt(TEST.model_copy(update={"generator": asked}))
    assert words in doubt and bool(words) == bool(doubt)


def test_documents_of_ones_own_are_of_no_generator(tmp_path):
    lineage = Lineage.of(trial({"kind": "live", "generator": 4}), tmp_path, own=True)
    assert lineage.doubt(Source(sha256="e" * 64, path="mine")) == ""
