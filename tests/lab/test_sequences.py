"""Packing: a context, and segments that begin where it ends and cannot see each other."""

import numpy as np
import torch

from latentcomp.lab.architecture import END_ID
from latentcomp.lab.sequences import HINTS, NO_HINT, Piece, pack, stacked
from latentcomp.models.segments import CONTEXT, PADDING

CONTEXT_PIECE = Piece([9, 8, 7], [0, 0.1, 0.1], hints=({1: 50}, {1: 51, 2: 52}))
QUESTION = Piece([1, 2, 3, 4], [0, 0, 4, 4], family=5, hints=({0: 60}, {}))
LONG = Piece([1] * 6, [0, 0, 0, 0, 4, 4], family=2)
SHORT = Piece([6, 6], [0, 4], family=3)


def test_segments_stand_one_after_the_other_and_continue_the_context():
    row = pack([CONTEXT_PIECE, QUESTION, SHORT], 12)
    assert row["ids"].tolist() == [9, 8, 7, 1, 2, 3, 4, 6, 6, END_ID, END_ID, END_ID]
    assert row["segment"].tolist() == [CONTEXT] * 3 + [1] * 4 + [2] * 2 + [PADDING] * 3
    assert row["position"].tolist() == [0, 1, 2, 3, 4, 5, 6, 3, 4, 0, 0, 0]
    assert np.allclose(row["weight"], [0, 0.1, 0.1, 0, 0, 4, 4, 0, 4, 0, 0, 0])
    assert row["family"].tolist() == [-1] * 5 + [5, 5, -1, 3] + [-1] * 3


def test_hints_move_with_their_piece():
    row = pack([CONTEXT_PIECE, QUESTION], 8)
    assert row["hint"].shape == (HINTS, 8)
    wanted = np.full((HINTS, 8), NO_HINT)
    wanted[0, [1, 3]] = 50, 60
    wanted[1, [1, 2]] = 51, 52
    assert np.array_equal(row["hint"], wanted)


def test_what_does_not_fit_is_left_out_whole_and_what_comes_after_it_may_fit():
    row = pack([CONTEXT_PIECE, LONG, SHORT], 6)
    assert row["ids"].tolist() == [9, 8, 7, 6, 6, END_ID]
    assert row["segment"].tolist() == [CONTEXT] * 3 + [2, 2, PADDING]


def test_a_context_is_cut_where_it_is_too_long():
    row = pack([CONTEXT_PIECE, SHORT], 2)
    assert row["ids"].tolist() == [9, 8]
    assert (row["hint"] != NO_HINT).sum() == 2, "hints behind the cut are left out"


def test_rows_of_one_length_are_a_batch():
    rows = [pack([CONTEXT_PIECE, piece], 8) for piece in (QUESTION, SHORT)]
    batch = stacked(rows)
    for name in ("ids", "segment", "position", "family"):
        assert getattr(batch, name).shape == (2, 8)
        assert getattr(batch, name).dtype == torch.int64
    assert batch.weight.dtype == torch.float32
    assert batch.hint.shape == (2, HINTS, 8)
    for number, row in enumerate(rows):
        assert all(np.array_equal(getattr(batch, key)[number], row[key]) for key in row)


def test_copying_a_batch():
    one, other = (stacked([pack([CONTEXT_PIECE, piece], 8)]) for piece in (QUESTION, SHORT))
    memory = [tensor.data_ptr() for tensor in one.tensors()]
    assert not torch.equal(one.ids, other.ids)
    one.copy_from(other)
    assert [tensor.data_ptr() for tensor in one.tensors()] == memory, "in place"
    for mine, theirs in zip(one.tensors(), other.to(torch.device("cpu")).tensors(), strict=True):
        assert torch.equal(mine, theirs)
