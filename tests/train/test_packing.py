"""Many questions behind one context, each as if it were alone."""

from dataclasses import replace
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.models.segments import CONTEXT, PADDING, attention_mask
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.packing import EncodedQuestion, encode_questions, pack

from . import tiny

QUESTIONS = st.lists(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), max_size=5), min_size=1, max_size=4
)


def numbered(sizes):
    """Questions all of whose tokens are different, so that each can be identified."""
    ids = iter(range(1, 10_000))
    return [
        tuple(
            EncodedQuestion(
                tuple(next(ids) for _ in range(prompt)),
                tuple(next(ids) for _ in range(answer)),
                tuple(range(answer % 3)),
            )
            for prompt, answer in row
        )
        for row in sizes
    ]


@given(QUESTIONS, st.integers(1, 40), st.integers(0, 3))
def test_what_is_packed_is_whole_questions(sizes, positions, seed):
    rows = numbered(sizes)
    packed = pack(rows, positions, Random(seed))
    for row, questions in enumerate(rows):
        segment, ids = packed.segment_BS[row], packed.ids_BS[row]
        whole = []
        for number in range(1, int(segment.max()) + 1):
            (places,) = torch.where(segment == number)
            assert places.tolist() == list(range(int(places[0]), int(places[-1]) + 1))
            question = next(q for q in questions if q.prompt_ids[0] == int(ids[places[0]]))
            assert tuple(ids[places].tolist()) == question.prompt_ids + question.answer_ids
            assert packed.offset_BS[row, places].tolist() == list(range(len(question)))
            learned = packed.answer_BS[row, places]
            assert tuple(ids[places][learned].tolist()) == question.answer_ids
            evidence = packed.evidence_BQE[row, number - 1].tolist()
            assert tuple(chunk for chunk in evidence if chunk >= 0) == question.evidence
            whole.append(question)
        assert len(set(whole)) == len(whole)
        free = positions - sum(map(len, whole))
        assert all(len(q) > free for q in questions if q not in whole), "one more would have fit"
        assert (packed.evidence_BQE[row, len(whole) :] == -1).all()
        rest = segment == PADDING
        assert int(rest.sum()) == free
        assert not packed.answer_BS[row, rest].any()


def test_answers_end_with_the_end_token(lm):
    document = tiny.documents(1)[0]
    for coded, question in zip(
        encode_questions(lm, document.questions), document.questions, strict=True
    ):
        assert coded.answer_ids[-1] == lm.eos_token_id
        assert lm.decode(list(coded.answer_ids[:-1])) == f" {question.answer}"
        assert lm.decode(list(coded.prompt_ids)) == lm.prompt.ask(question.text)
        assert coded.evidence == question.evidence != ()


@settings(max_examples=50)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=12), st.sampled_from(["f4", "b2"]))
def test_the_mask_by_its_definition(segments, kind):
    dtype = {"f4": torch.float32, "b2": torch.bfloat16}[kind]
    mask = attention_mask(torch.tensor([segments]), dtype)
    assert mask.dtype == dtype
    for query, mine in enumerate(segments):
        for key, theirs in enumerate(segments):
            seen = query == key or (key < query and mine != PADDING and (theirs in (CONTEXT, mine)))
            assert float(mask[0, 0, query, key]) == (0.0 if seen else torch.finfo(dtype).min)


@pytest.fixture(scope="module")
def batch(lm):
    return tiny.batch_of(lm, tiny.documents(3, chunks=2) + tiny.documents(1, chunks=4))


def test_a_packed_question_is_read_as_if_it_were_alone(lm, batch):
    reasoner = FrozenReasoner(lm)
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    reading = reasoner.read(context, batch.questions)
    expected = []
    for row in range(len(batch.token_ids_BT)):
        document = batch.token_ids_BT[row][batch.states.mask_BT[row]]
        questions = batch.questions
        most = int(questions.segment_BS[row].max())
        assert most > 1
        for number in range(1, most + 1):
            here = questions.segment_BS[row] == number
            alone = torch.cat([document, questions.ids_BS[row, here]])
            logits = lm.model(alone[None]).logits[0]
            learned = questions.answer_BS[row, here].nonzero()[:, 0] + len(document)
            expected.append(logits[learned - 1])
    torch.testing.assert_close(reading.logits_NV, torch.cat(expected), rtol=1e-3, atol=1e-3)


def test_questions_never_see_each_other(lm, batch):
    reasoner = FrozenReasoner(lm)
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    before = reasoner.read(context, batch.questions, keep=(4,)).states[4]
    changed = batch.questions.segment_BS == 1
    questions = batch.questions
    ids_BS = torch.where(changed, 7, questions.ids_BS)
    other = replace(questions, ids_BS=ids_BS)
    after = reasoner.read(context, other, keep=(4,)).states[4]
    rest = questions.segment_BS > 1
    assert rest.any()
    assert torch.equal(before[rest], after[rest])
    assert not torch.allclose(before[changed], after[changed])
