"""The contract of `Batches`, for every source: a new source adds one row to `SOURCES`."""

import json

import pytest
import torch

from latentcomp.models.describe import describe_document
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.read.resident import load_resident
from latentcomp.train.batches import document_key
from latentcomp.train.loader import LoadedBatches
from latentcomp.train.resident import add_resident
from latentcomp.train.store_batches import WINDOW

from . import tiny

CPU = torch.device("cpu")
STEPS = range(2 * WINDOW)
OPTIONS = {"seed": 1, "rank": 1, "world": 2}


def store(run, lm, first, **options):
    return tiny.store_batches(run, lm, **options)


def loaded(run, lm, first, **options):
    return LoadedBatches(tiny.store_batches(run, lm, **options), 0, CPU)


def workers(run, lm, first, **options):
    return LoadedBatches(tiny.store_batches(run, lm, **options), 1, CPU)


def resident(run, lm, first, **options):
    source = tiny.store_batches(run, lm, layers=(), **options)
    states = load_resident(FeatureStore(run / "store"))
    return LoadedBatches(source, 0, CPU, add_resident(states, source))


def live(run, lm, first, **options):
    return tiny.live_batches(lm, first, **options)


SOURCES = {
    "store": store,
    "loaded": loaded,
    "workers": workers,
    "resident": resident,
    "live": live,
}
"""(run folder, model, first step, **options) -> batches that are requested from `first` on."""


@pytest.fixture(params=SOURCES)
def make(request, run_folder, lm, quick_processes):
    """Makes batches of one source; closes them after the test."""
    opened = []

    def made(first=0, **options):
        opened.append(SOURCES[request.param](run_folder, lm, first, **options))
        return opened[-1]

    yield made
    for batches in opened:
        batches.close()


@pytest.fixture(scope="module")
def names(run_folder, lm):
    """Document id of a row of token ids."""
    stored = FeatureStore(run_folder / "store")
    documents = [stored.read(index) for index in range(len(stored))]
    documents += [
        describe_document(lm, tiny.story(index, chunks=2).document)
        for index in range(2 * len(STEPS))
    ]
    return {tuple(one.token_ids.tolist()): one.document_id for one in documents}


def ids_of(batch, names):
    rows = zip(batch.token_ids_BT, batch.states.mask_BT, strict=True)
    return tuple(names[tuple(ids[mask].tolist())] for ids, mask in rows)


def test_a_step_has_one_batch_also_after_a_resume(make):
    whole = make()
    batches = [whole.at(step) for step in STEPS]
    assert not all(tiny.same_batch(batch, batches[0]) for batch in batches)
    first = 5
    resumed = make(first)
    for step in STEPS[first:]:
        assert tiny.same_batch(resumed.at(step), batches[step])


def test_document_ids_name_the_documents_of_a_step_at_any_time(make, names):
    batches = make(**OPTIONS)
    before = {step: batches.document_ids(step) for step in reversed(STEPS)}
    for step in STEPS[: WINDOW + 1]:
        assert ids_of(batches.at(step), names) == batches.document_ids(step) == before[step]
        assert batches.document_ids(0) == before[0]
    assert make(7, **OPTIONS).document_ids(3) == before[3]
    assert len(set(before.values())) > 1


def test_the_description_is_json_and_follows_from_the_options(make):
    described = [make(first).describe() for first in (0, 3)]
    assert described[0] == described[1]
    assert described[0] == json.loads(json.dumps(described[0], allow_nan=False))
    assert {"kind", "seed", "per_step", "world", "split"} <= described[0].keys()
    assert make(seed=1).describe() == {**described[0], "seed": 1}


def test_closed_twice_and_never_used_again(make):
    batches = make()
    batches.at(0)
    batches.close()
    batches.close()
    with pytest.raises(RuntimeError):
        batches.at(1)
    assert batches.document_ids(1), "what is known of a step outlives the threads"


def test_never_used_and_closed(make):
    batches = make()
    batches.close()
    with pytest.raises(RuntimeError):
        batches.at(0)


@pytest.mark.parametrize("kind", ["loaded", "resident"])
def test_every_way_gives_the_batches_of_the_store(run_folder, lm, kind):
    plain, batches = store(run_folder, lm, 0), SOURCES[kind](run_folder, lm, 0)
    for step in STEPS:
        assert tiny.same_batch(batches.at(step), plain.at(step))
    assert batches.describe() == plain.describe()
    batches.close()


@pytest.mark.parametrize("of_resident", [False, True])
@pytest.mark.usefixtures("quick_processes")
def test_worker_processes_give_the_batches_of_the_store(run_folder, lm, of_resident):
    same_as_the_store(run_folder, lm, 2, of_resident)


def test_processes_started_as_in_a_training_give_the_batches_of_the_store(run_folder, lm):
    same_as_the_store(run_folder, lm, 1)


def same_as_the_store(run_folder, lm, count, of_resident=False):
    plain = store(run_folder, lm, 0)
    source = tiny.store_batches(run_folder, lm, **({"layers": ()} if of_resident else {}))
    finish = [add_resident(load_resident(FeatureStore(run_folder / "store")), source)]
    batches = LoadedBatches(source, count, CPU, *finish[: int(of_resident)])
    for step in (*range(3, 15), 2):  # and back, which starts the processes anew
        assert tiny.same_batch(batches.at(step), plain.at(step))
    assert batches.describe() == plain.describe()
    batches.close()


def test_batches_say_what_settles_a_question_and_whose_it_is(make):
    """Whatever the source: chunks of the document, and the document by its key."""
    batches = make(**OPTIONS)
    for step in range(3):
        batch, ids = batches.at(step), batches.document_ids(step)
        assert batch.document_B.tolist() == [document_key(name) for name in ids]
        evidence_BQE = batch.questions.evidence_BQE
        asked = batch.questions.segment_BS.amax(1)
        for row, questions in enumerate(evidence_BQE.tolist()):
            last = int(batch.states.chunk_BT[row].max())
            for number, chunks in enumerate(questions, start=1):
                known = [chunk for chunk in chunks if chunk >= 0]
                assert bool(known) == (number <= int(asked[row]))
                assert known == sorted(set(known)) and all(chunk <= last for chunk in known)


def test_live_batches_refuse_to_go_back(lm):
    batches = tiny.live_batches(lm, 0)
    batches.at(WINDOW)
    with pytest.raises(ValueError, match="step 3"):
        batches.at(3)
