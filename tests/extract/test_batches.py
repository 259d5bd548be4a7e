"""Batches: every document once, within the budget, the same whatever was done before."""

from hypothesis import given
from hypothesis import strategies as st

from latentcomp.extract.batches import BATCHES_PER_WINDOW, plan_windows

lengths_of = st.lists(st.integers(1, 60), max_size=80)


@given(lengths=lengths_of, batch_tokens=st.integers(1, 200))
def test_every_document_once_and_in_order_of_windows(lengths, batch_tokens):
    windows = list(plan_windows(lengths, batch_tokens))
    order = [index for window in windows for index in window.indices]
    assert order == list(range(len(lengths)))


@given(lengths=lengths_of, batch_tokens=st.integers(1, 200))
def test_batches_keep_to_the_budget_unless_one_document_breaks_it(lengths, batch_tokens):
    for window in plan_windows(lengths, batch_tokens):
        for batch in window.batches:
            longest = max(lengths[index] for index in batch.indices)
            assert batch.padded_tokens == longest * len(batch.indices)
            assert batch.tokens == sum(lengths[index] for index in batch.indices)
            assert batch.padded_tokens <= batch_tokens or len(batch.indices) == 1


@given(lengths=lengths_of, batch_tokens=st.integers(1, 200), more=lengths_of)
def test_whole_windows_do_not_depend_on_what_follows(lengths, batch_tokens, more):
    """Neither on what was done nor on what comes: the composition is a matter of lengths."""
    finished = list(plan_windows(lengths, batch_tokens))[:-1]
    assert list(plan_windows(lengths + more, batch_tokens))[: len(finished)] == finished


@given(lengths=lengths_of, batch_tokens=st.integers(1, 200))
def test_packed_batches_are_filled_with_documents_alone(lengths, batch_tokens):
    windows = list(plan_windows(lengths, batch_tokens, packed=True))
    order = [index for window in windows for index in window.indices]
    assert order == list(range(len(lengths)))
    for batch in (batch for window in windows for batch in window.batches):
        sizes = [lengths[index] for index in batch.indices]
        assert sizes == sorted(sizes)
        assert batch.padded_tokens == batch.tokens == sum(sizes)
        assert batch.tokens <= batch_tokens or len(sizes) == 1


def test_sorting_saves_padding():
    lengths = [10, 100] * 20
    (window,) = plan_windows(lengths, batch_tokens=1000)
    assert sum(batch.padded_tokens for batch in window.batches) < 1.1 * sum(lengths)


def test_windows_hold_a_few_batches():
    windows = list(plan_windows([10] * 100, batch_tokens=50))
    assert {len(window.batches) for window in windows} == {BATCHES_PER_WINDOW}
