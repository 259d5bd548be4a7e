"""The frozen reasoner: gradients pass through it and leave it alone; padding changes nothing."""

from dataclasses import replace
from random import Random

import pytest
import torch

from latentcomp.compressor.model import Compressed, compress
from latentcomp.reasoner import selftest
from latentcomp.reasoner.frozen import SEQUENCE_STEP, FrozenReasoner
from latentcomp.reasoner.packed_reading import PackedReading
from latentcomp.reasoner.packing import pack
from latentcomp.train.batches import collate
from latentcomp.train.objectives import OBJECTIVES, Step

from . import tiny


def answer_loss(reasoner, model, batch, ratio=4.0):
    compressed = compress(model, batch.states, ratio)
    output = reasoner.read(reasoner.latent_context(compressed), batch.questions)
    return OBJECTIVES["answer"].loss(Step(reasoner, batch, compressed, output))


def model_of(lm, number=4, **changes):
    torch.manual_seed(1)
    return tiny.spec_of(lm, number, **changes).build()


@pytest.mark.parametrize("number", [1, 4])
def test_gradients_reach_the_compressor_and_no_weight_of_the_reasoner(number):
    lm = tiny.lm(4, seed=3)
    lm.model.requires_grad_(True)  # the reasoner has to freeze it itself
    reasoner = FrozenReasoner(lm)
    before = {name: weight.clone() for name, weight in lm.model.named_parameters()}
    model = model_of(lm, number)
    answer_loss(reasoner, model, tiny.batch_of(lm, tiny.documents(2))).backward()
    assert all(weight.grad is None for weight in lm.model.parameters())
    assert all(torch.equal(before[n], w) for n, w in lm.model.named_parameters())
    untouched = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert untouched == set()
    moved = {name for name, weight in model.named_parameters() if weight.grad.abs().sum() > 0}
    for part in ("compressor.residual.logits", "compressor.out.weight"):
        assert part in moved
    assert ("projection.body.linear.weight" in moved) == (number == 4)


@pytest.mark.parametrize("positions", ["sequential", "tokens"])
@pytest.mark.parametrize("length", [320, 448])
def test_padding_does_not_change_the_loss_of_a_document(lm, positions, length):
    reasoner, model = FrozenReasoner(lm), model_of(lm, positions=positions)
    document = tiny.documents(1)
    alone = tiny.batch_of(lm, document)
    assert alone.token_ids_BT.shape[1] < length
    padded = tiny.batch_of(lm, document, length=length, positions=230)
    assert int(padded.questions.answer_BS.sum()) == int(alone.questions.answer_BS.sum())
    expected = answer_loss(reasoner, model, alone)
    torch.testing.assert_close(answer_loss(reasoner, model, padded), expected, rtol=1e-4, atol=1e-5)


def test_neighbours_do_not_change_what_is_read(lm):
    reasoner, model = FrozenReasoner(lm), model_of(lm)
    long = tiny.story(1, 5).document
    short = tiny.story(0, 2).document
    short = replace(short, questions=short.questions[:1])

    def logits(given):
        batch = tiny.batch_of(lm, given, length=384)
        context = reasoner.latent_context(compress(model, batch.states, 4.0))
        reading = reasoner.read(context, batch.questions)
        rows = batch.questions.answer_BS.nonzero()[:, 0]
        return reading.logits_NV[rows == given.index(short)]

    torch.testing.assert_close(logits((short,)), logits((long, short, long)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_gradients_stay_finite_through_48_blocks_with_padding(number):
    lm = tiny.lm(48)
    reasoner = FrozenReasoner(lm)
    model = model_of(lm, number, stored=tiny.layers(19, 31, 43))
    given = (tiny.story(0, 2).document, tiny.story(1, 5).document)
    batch = tiny.batch_of(lm, given, tiny.layers(19, 31, 43), positions=190, length=384)
    assert not batch.states.mask_BT.all()
    assert (batch.questions.segment_BS < 0).any()
    loss = answer_loss(reasoner, model, batch)
    loss.backward()
    assert torch.isfinite(loss)
    for name, weight in model.named_parameters():
        assert torch.isfinite(weight.grad).all(), name


def contexts(lm, positions):
    reasoner = FrozenReasoner(lm)
    model = model_of(lm, positions=positions)
    batch = tiny.batch_of(lm, (tiny.story(0, 2).document, tiny.story(1, 4).document))
    compressed = compress(model, batch.states, 4.0)
    return batch, compressed, reasoner.latent_context(compressed)


def test_sequential_latents_follow_the_head_one_by_one(lm):
    batch, compressed, context = contexts(lm, "sequential")
    for row, tokens in enumerate(batch.tokens_B.tolist()):
        count = 1 + -(-tokens // 4)
        assert int(context.mask_BC[row].sum()) == count
        positions = context.position_BC[row][context.mask_BC[row]]
        assert positions.tolist() == list(range(count))
        assert int(context.after_B[row]) == count
    assert compressed.position_BK is None


def test_latents_at_token_positions_stand_in_the_middle_of_their_tokens(lm):
    batch, _, context = contexts(lm, "tokens")
    for row, tokens in enumerate(batch.tokens_B.tolist()):
        count = -(-tokens // 4)
        positions = context.position_BC[row][context.mask_BC[row]].tolist()
        owners = [token * count // tokens for token in range(tokens)]
        middles = [
            sum(t for t in range(tokens) if owners[t] == k) / owners.count(k) for k in range(count)
        ]
        assert positions[0] == 0  # the head
        assert positions[1:] == [int(middle + 1e-4) for middle in middles]
        assert int(context.after_B[row]) == tokens


def test_the_head_stands_before_the_latents(lm):
    _, compressed, context = contexts(lm, "tokens")
    table = lm.model.get_input_embeddings().weight
    assert torch.equal(context.x_BCR[:, 0], table[[lm.eos_token_id] * 2])
    assert torch.equal(context.x_BCR[:, 1:], compressed.x_BKR)


def test_the_document_context_is_the_document(lm):
    """Both ways of reading agree: tokens given as a document, and as ready vectors."""
    reasoner = FrozenReasoner(lm)
    batch = tiny.batch_of(lm, tiny.documents(2))
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    x, mask = context.x_BCR[:, 1:], context.mask_BC[:, 1:]  # without the head
    same = reasoner.latent_context(Compressed(x, mask, x, None, None))
    for name in ("position_BC", "mask_BC"):
        real = context.mask_BC
        assert torch.equal(getattr(context, name)[real], getattr(same, name)[real])
    torch.testing.assert_close(
        reasoner.read(context, batch.questions).logits_NV,
        reasoner.read(same, batch.questions).logits_NV,
    )


@pytest.mark.parametrize("depth", [1, 4])
def test_kept_states_are_those_of_hugging_face(lm, depth):
    reasoner = FrozenReasoner(lm)
    document = tiny.documents(1)
    batch = tiny.batch_of(lm, document)
    questions = batch.questions
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    kept = reasoner.read(context, questions, keep=(depth,)).states
    assert set(kept) == {depth}
    here = questions.segment_BS[0] == 1
    ids = torch.cat([batch.token_ids_BT[0][batch.states.mask_BT[0]], questions.ids_BS[0, here]])
    block = lm.model.model.layers[depth - 1]
    seen = []
    handle = block.register_forward_hook(lambda *call: seen.append(call[-1]))
    lm.model(ids[None])
    handle.remove()
    state = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    expected = state.reshape(len(ids), -1)[-int(here.sum()) :]
    torch.testing.assert_close(kept[depth][0, here], expected, rtol=1e-3, atol=1e-3)
    assert not block._forward_hooks, "a hook was left behind"


def test_sequences_come_in_few_lengths(lm, monkeypatch):
    reasoner = FrozenReasoner(lm)
    seen = []
    body = lm.model.model
    forward = body.forward

    def recording(**given):
        seen.append(given)
        return forward(**given)

    monkeypatch.setattr(body, "forward", recording)
    batch = tiny.batch_of(lm, tiny.documents(1), positions=77)
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    reasoner.read(context, batch.questions)
    x = seen[-1]["inputs_embeds"]
    assert x.shape[1] % SEQUENCE_STEP == 0
    assert (x.norm(dim=-1) > 0).all(), "a zero vector's gradient overflows in a deep model"


def test_collate_pads_to_the_length_that_is_given(lm):
    batch = tiny.batch_of(lm, tiny.documents(2))
    assert batch.token_ids_BT.shape[1] % 64 == 0
    longer = tiny.batch_of(lm, tiny.documents(2), length=320)
    assert longer.token_ids_BT.shape[1] == 320
    tokens = batch.tokens_B
    assert torch.equal(tokens, longer.tokens_B)
    for row, count in enumerate(tokens.tolist()):
        assert longer.states.mask_BT[row].tolist() == [True] * count + [False] * (320 - count)
        assert not longer.states.h_BTLD[row, count:].any()
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.states.h_BTLD, batch.states.h_BTLD)
    assert replace(batch, questions=pack([(), ()], 4, Random(0))).questions.answer_BS.sum() == 0
    with pytest.raises(ValueError, match="max"):
        collate([], 4, Random(0))


def test_generation_with_a_cache_is_not_compiled(monkeypatch):
    """A cache is another length at every token: each would be compiled, until torch gives up."""
    compiled = []

    def fake(forward, *, dynamic):
        def call(*args, **kwargs):
            compiled.append(kwargs.get("past_key_values") or kwargs.get("row_pass"))
            return forward(*args, **kwargs)

        return call

    monkeypatch.setattr(torch, "compile", fake)
    lm = tiny.lm(4, seed=5)
    reasoner = FrozenReasoner(lm, compile_blocks=True)
    selftest._tested.clear()
    selftest.check_reader(lm, tiny.documents(2))
    monkeypatch.setattr(PackedReading, "can", staticmethod(lambda *given: False))
    selftest._tested.clear()
    selftest.check_reader(lm, tiny.documents(2))
    assert all(cache is None for cache in compiled)
    batch = tiny.batch_of(lm, tiny.documents(2))
    before = len(compiled)
    answer_loss(reasoner, model_of(lm), batch)
    assert len(compiled) == before + 4, "each block of the training's reading is compiled"
