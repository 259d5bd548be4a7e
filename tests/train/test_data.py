"""Batches: a function of seed and step, every document once an epoch, each rank its own."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import StoreError
from latentcomp.models.describe import describe_document
from latentcomp.reasoner.packing import encode_questions
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.read.resident import load_resident
from latentcomp.train.loader import LoadedBatches
from latentcomp.train.resident import add_resident
from latentcomp.train.store_batches import WINDOW, StoreBatches

from . import tiny

DOCUMENTS = 12
CPU = torch.device("cpu")
GOLDEN = {0: (0, 6, 6, 6, 1), 1: (1, 1, 10, 10, 10), 7: (2, 2, 4, 4, 4), 40: (9, 8, 8, 8, 11)}


@pytest.fixture(scope="module")
def keys(run_folder):
    """Which document a row of token ids is."""
    store = FeatureStore(run_folder / "store")
    return {tuple(store.read(i).token_ids.tolist()): i for i in range(len(store))}


def seen(batch, keys):
    return [
        keys[tuple(ids[mask].tolist())]
        for ids, mask in zip(batch.token_ids_BT, batch.states.mask_BT, strict=True)
    ]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 1))
def test_a_batch_is_a_function_of_seed_and_step(run_folder, lm, steps, seed, rank):
    options = {"seed": seed, "rank": rank, "world": 2}
    one, other = (tiny.store_batches(run_folder, lm, **options) for _ in range(2))
    batches = {step: one.at(step) for step in steps}
    for step in sorted(steps, reverse=True):
        assert tiny.same_batch(other.at(step), batches[step])
        assert tiny.same_batch(one.at(step), batches[step])


def test_other_seeds_give_other_batches(run_folder, lm):
    one, other = (tiny.store_batches(run_folder, lm, seed=seed) for seed in (0, 1))
    assert not all(tiny.same_batch(one.at(step), other.at(step)) for step in range(3))
    assert one.describe() != other.describe()


@pytest.mark.parametrize(("batch_size", "world"), [(1, 1), (3, 1), (3, 2), (1, 4)])
def test_every_document_appears_once_an_epoch(run_folder, lm, keys, batch_size, world):
    """Counted over whole windows, which hold a whole number of epochs together."""
    ranks = [
        tiny.store_batches(run_folder, lm, batch_size=batch_size, rank=rank, world=world)
        for rank in range(world)
    ]
    steps = DOCUMENTS * WINDOW // world  # = DOCUMENTS windows of WINDOW slots
    counts = [0] * DOCUMENTS
    orders = []
    for step in range(steps):
        for rank in ranks:
            for index in seen(rank.at(step), keys):
                counts[index] += 1
                orders.append(index)
    epochs = len(orders) // DOCUMENTS
    assert counts == [epochs] * DOCUMENTS
    assert orders[:DOCUMENTS] != orders[DOCUMENTS : 2 * DOCUMENTS], "each epoch in another order"


def test_the_ranks_of_a_window_share_nothing(run_folder, lm, keys):
    """12 documents are 12 slots of one: a window of 8 slots of distinct documents."""
    ranks = [
        tiny.store_batches(run_folder, lm, batch_size=1, rank=rank, world=4) for rank in range(4)
    ]
    window = [seen(rank.at(step), keys)[0] for step in range(WINDOW // 4) for rank in ranks]
    assert len(window) == WINDOW
    assert len(set(window)) == WINDOW


def test_batches_hold_documents_of_like_length(run_folder, lm, keys):
    source = tiny.store_batches(run_folder, lm, batch_size=1)
    lengths = [int(source.at(step).tokens_B[0]) for step in range(WINDOW)]
    pairs = tiny.store_batches(run_folder, lm, batch_size=4)
    spans = [pairs.at(step).tokens_B for step in range(WINDOW)]
    widest = max(int(span.max() - span.min()) for span in spans)
    assert lengths != sorted(lengths), "within a window the order is shuffled"
    assert widest < max(lengths) - min(lengths)


@pytest.mark.gpu
@pytest.mark.parametrize("resident", [False, True])
def test_on_a_gpu_the_batches_are_the_same(run_folder, lm, resident):
    """While the device is busy with something else, and memory of earlier batches is reused."""
    device = torch.device("cuda")
    plain = tiny.store_batches(run_folder, lm)
    loaded = LoadedBatches(tiny.store_batches(run_folder, lm), 2, device)
    if resident:
        states = load_resident(FeatureStore(run_folder / "store"), device=device)
        source = tiny.store_batches(run_folder, lm, layers=())
        loaded = LoadedBatches(source, 2, device, add_resident(states, source))
    busy = torch.randn(4096, 4096, device=device)
    for step in range(12):
        for _ in range(8):
            busy = busy @ busy / 64
        batch = loaded.at(step)
        assert batch.states.h_BTLD.device.type == "cuda"
        assert tiny.same_batch(batch.to(CPU), plain.at(step))
    loaded.close()


def test_which_documents_a_step_sees_does_not_change_between_versions(run_folder, lm):
    """A run that was begun with an older version goes on with the same batches."""
    source = tiny.store_batches(run_folder, lm, batch_size=5, seed=3, rank=1, world=2)
    assert {step: source.indices(step) for step in (0, 1, 7, 40)} == GOLDEN


def test_an_error_of_the_source_reaches_whoever_asks(run_folder, lm, monkeypatch):
    source = tiny.store_batches(run_folder, lm)

    def damaged(index, layers):
        raise StoreError("shard 3 is damaged")

    monkeypatch.setattr(source._store, "read", damaged)
    with pytest.raises(StoreError, match="shard 3"):
        LoadedBatches(source, 0, CPU).at(0)


def batches_of(run_folder, lm, documents, question_tokens=96):
    store = FeatureStore(run_folder / "store")
    return StoreBatches(
        store, documents, lm, store.layers, batch_size=2, question_tokens=question_tokens, seed=0
    )


def test_families_held_out_are_not_learned_from(run_folder, lm):
    """Each document keeps the one question that is not held out; without any it is not drawn."""
    ours = tiny.documents(DOCUMENTS)
    kept = [
        replace(
            document,
            questions=tuple(
                replace(question, held_out=place != 1 or index == 4)
                for place, question in enumerate(document.questions)
            ),
        )
        for index, document in enumerate(ours)
    ]
    source = batches_of(run_folder, lm, kept)
    assert source.describe()["documents"] == DOCUMENTS - 1
    questions = {document.document_id: document.questions[1] for document in kept}
    for step in range(DOCUMENTS):
        batch, names = source.at(step), source.document_ids(step)
        for ids, segment, name in zip(
            batch.questions.ids_BS, batch.questions.segment_BS, names, strict=True
        ):
            (one,) = encode_questions(lm, [questions[name]])
            assert ids[segment > 0].tolist() == [*one.prompt_ids, *one.answer_ids]


def test_a_store_of_another_corpus_is_refused(run_folder, lm):
    ours = tiny.documents(DOCUMENTS)
    for documents in (ours[1:], ours[:3] + ours[4:], ()):
        missing = next(d for d in ours if d not in documents)
        with pytest.raises(StoreError, match=missing.document_id) as caught:
            batches_of(run_folder, lm, documents)
        assert "\n" not in str(caught.value)


def test_documents_without_questions_are_left_out(run_folder, lm, keys):
    ours = [replace(d, questions=()) for d in tiny.documents(DOCUMENTS)]
    with pytest.raises(StoreError, match="question"):
        batches_of(run_folder, lm, ours)
    ours[4] = tiny.documents(DOCUMENTS)[4]
    source = batches_of(run_folder, lm, ours)
    assert {index for step in range(4) for index in seen(source.at(step), keys)} == {4}


def test_questions_longer_than_their_places_are_no_questions(run_folder, lm):
    """Else every loss would be the mean of nothing."""
    ours = tiny.documents(DOCUMENTS)
    with pytest.raises(StoreError, match="question"):
        batches_of(run_folder, lm, ours, question_tokens=3)
    coded = [encode_questions(lm, document.questions) for document in ours]
    shortest = sorted(min(map(len, questions)) for questions in coded)
    source = batches_of(run_folder, lm, ours, question_tokens=shortest[3])
    for step in range(12):
        answers = source.at(step).questions.answer_BS
        assert (answers.sum(1) > 0).all()


def test_a_described_document_is_what_the_store_holds(run_folder, lm):
    """A live source and a store tell the compressor the same of one document."""
    store = FeatureStore(run_folder / "store")
    for index, document in enumerate(tiny.documents(DOCUMENTS)):
        stored, live = store.read(index), describe_document(lm, document)
        for name in ("token_ids", "chunk_index", "day", "bucket"):
            assert torch.equal(getattr(stored, name), getattr(live, name)), name
        assert (stored.document_id, stored.chunks) == (live.document_id, live.chunks)


def live(lm, first, **options):
    requests: list[tuple[int, int]] = []
    return tiny.live_batches(lm, first, requests=requests, **options), requests


def test_live_batches_go_on_where_they_stopped(lm):
    whole, _ = live(lm, 0)
    batches = [whole.at(step) for step in range(2 * WINDOW)]
    for first in (3, WINDOW, WINDOW + 1):
        resumed, made = live(lm, first)
        for step in range(first, 2 * WINDOW):
            assert tiny.same_batch(resumed.at(step), batches[step])
        assert made[0][0] == first // WINDOW * WINDOW, "windows before are not made again"
    assert {b.token_ids_BT.shape[1] for b in batches} <= {224, 256}
    assert batches[0].states.h_BTLD.shape[2:] == (1, 4)
    whole.close()


def test_live_ranks_make_documents_of_their_own(lm):
    ranges = set()
    for rank in range(2):
        source, made = live(lm, 0, rank=rank, world=2)
        for step in range(WINDOW + 1):
            source.at(step)
        ranges |= {index for start, count in made for index in range(start, start + count)}
        assert len(made) == 2
    assert ranges == set(range(4 * WINDOW))
