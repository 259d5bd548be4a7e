"""A memory that is appended to: chunk by chunk, nothing rewritten, nothing of the future in it."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.compressor.memory import appended, by_chunk, counts_before, counts_of
from latentcomp.compressor.model import CompressionModel, compress
from latentcomp.compressor.places import latent_of_token

from . import tiny
from .made import beginning, given_states, spread, states


def model_of(lm, **changes):
    """A small model with weights that all speak."""
    spec = tiny.spec_of(lm, memory="append", **changes)
    return spread(CompressionModel(spec)).eval()


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(3)


CHANGES = [
    {},
    {"positions": "tokens"},
    {"allocation": "learned_mass"},
    {"allocation": "learned_mass", "positions": "tokens", "start": "identity"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: "-".join(changes) or "plain")
@pytest.mark.parametrize("ratio", [2.0, 4.0, 7.5])
def test_the_memory_of_a_beginning_is_the_beginning_of_the_memory(lm, changes, ratio):
    made = model_of(lm, **changes)
    whole = given_states([[9, 5, 12]], len(made.spec.layers), lm)
    with torch.no_grad():
        memory = compress(made, whole, ratio)
        for tokens in (9, 14):
            early = compress(made, beginning(whole, tokens), ratio)
            count = early.mask_BK.shape[1]
            assert count < memory.mask_BK.shape[1] and early.mask_BK.all()
            torch.testing.assert_close(early.x_BKR, memory.x_BKR[:, :count], rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(early.z_BKE, memory.z_BKE[:, :count], rtol=1e-3, atol=1e-4)
            if early.position_BK is not None:
                assert memory.position_BK is not None and early.after_B is not None
                assert torch.equal(early.position_BK, memory.position_BK[:, :count])
                assert int(early.after_B) == tokens


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: "-".join(changes) or "plain")
def test_a_document_is_left_to_itself_and_rounds_up_over_all_that_came(lm, changes):
    made = model_of(lm, **changes)
    among = given_states([[9, 5, 12], [3], [8, 8]], len(made.spec.layers), lm)
    with torch.no_grad():
        crowd = compress(made, among, 4.0)
        alone = compress(made, given_states([[9, 5, 12]], len(made.spec.layers), lm), 4.0)
    assert crowd.mask_BK.sum(1).tolist() == [3 + 1 + 3, 1, 2 + 2]
    torch.testing.assert_close(crowd.x_BKR[0, :7], alone.x_BKR[0], rtol=1e-3, atol=1e-4)
    assert not crowd.x_BKR[~crowd.mask_BK].any()


def test_thirds_of_the_document_are_not_told_but_days_are(lm):
    made = model_of(lm, time=True)
    told = given_states([[9, 5, 12]], len(made.spec.layers), lm)
    with torch.no_grad():
        memory = compress(made, told, 4.0).x_BKR
        other = compress(made, replace(told, bucket_BT=2 - told.bucket_BT), 4.0).x_BKR
        later = compress(made, replace(told, day_BT=told.day_BT + 1), 4.0).x_BKR
    assert torch.equal(memory, other) and not torch.equal(memory, later)


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: "-".join(changes) or "plain")
def test_a_token_is_in_a_latent_of_its_own_chunk(lm, changes):
    made = model_of(lm, **changes)
    given = given_states([[9, 5, 12], [3, 4]], len(made.spec.layers), lm)
    with torch.no_grad():
        latent_BT = latent_of_token(compress(made, given, 4.0), given)
    of_chunk = [[3, 1, 3], [1, 1]]
    for row, counts in enumerate(of_chunk):
        owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        real = given.mask_BT[row]
        assert torch.equal(owner[latent_BT[row][real]], given.chunk_BT[row][real])


def test_it_learns(lm):
    made = model_of(lm).train()
    compress(
        made, given_states([[9, 5], [3]], len(made.spec.layers), lm), 4.0
    ).x_BKR.sum().backward()
    assert all(weight.grad is not None for weight in made.parameters() if weight.requires_grad)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=6), min_size=1, max_size=4),
    st.sampled_from([1.0, 2.0, 3.3, 4.0, 16.0]),
)
def test_a_memory_has_as_many_latents_as_the_same_text_at_once(lengths, ratio):
    tokens = torch.tensor([size for each in lengths for size in each])
    row = torch.arange(len(lengths)).repeat_interleave(torch.tensor([len(e) for e in lengths]))
    made = counts_of(tokens, row, len(lengths), ratio).tolist()
    wanted = []
    for each in lengths:  # one chunk after the other, knowing nothing of the next
        used, read = 0, 0
        for size in each:
            read += size
            now = max(used + 1, math.ceil(read / ratio))
            wanted.append(now - used)
            used = now
        if all(size >= ratio for size in each):
            assert used == math.ceil(sum(each) / ratio)
    assert made == wanted


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_chunks_cut_and_joined_are_the_documents(lengths):
    given = states([sum(each) for each in lengths])
    rows = [torch.arange(len(each)).repeat_interleave(torch.tensor(each)) for each in lengths]
    chunk = torch.zeros_like(given.chunk_BT)
    for row, numbers in enumerate(rows):
        chunk[row, : len(numbers)] = numbers
    given = replace(given, chunk_BT=chunk)
    cut = by_chunk(given)
    assert cut.states.mask_BT.sum(1).tolist() == [size for each in lengths for size in each]
    joined = appended(cut.states.h_BTLD, cut.states.mask_BT, cut.document_N, len(lengths))
    assert torch.equal(joined, given.h_BTLD)
    counts = cut.states.mask_BT.sum(1)
    before = counts_before(counts, cut.document_N, len(lengths))
    assert torch.equal(before, cut.place_NS[:, 0])
