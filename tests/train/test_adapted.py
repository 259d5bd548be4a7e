"""Adapters on the reader: only what reads latents is changed, and in every way of reading alike."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentcomp.commands.answering import check_positions
from latentcomp.commands.evaluation_notes import adapters_note
from latentcomp.common.errors import CheckpointError
from latentcomp.compressor.model import compress
from latentcomp.evaluate.arms.latents import prefixes_of
from latentcomp.evaluate.arms.text import ceiling
from latentcomp.reasoner.adapted import adapted, adapters_of
from latentcomp.reasoner.encoding import answer_ids
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.generate import greedy_answers
from latentcomp.reasoner.likelihood import encode_choice, log_likelihoods
from latentcomp.reasoner.packed_reading import PackedReading
from latentcomp.reasoner.padded_reading import PaddedReading
from latentcomp.train.objectives import OBJECTIVES, Step

from . import tiny

RATIO = 4.0


@pytest.fixture(scope="module")
def documents():
    return tiny.documents(3)


def model_of(lm, rank, awake=True):
    """A compressor with adapters; awake ones change what is read."""
    torch.manual_seed(1)
    model = tiny.spec_of(lm, reader_rank=rank).build()
    if awake:
        assert model.adapters is not None
        torch.nn.init.normal_(model.adapters.up_LrR, std=0.5)
    return model


def read(lm, model, documents):
    """The context and the prefixes of the documents' latents."""
    reasoner, batch = FrozenReasoner(lm), tiny.batch_of(lm, documents)
    compressed = compress(model, batch.states, RATIO)
    return reasoner, batch, compressed


def answers(lm, prefixes, documents):
    texts = [[question.text for question in one.questions[:4]] for one in documents]
    return greedy_answers(lm, prefixes, texts)


@torch.no_grad()
def test_they_begin_as_no_change_at_all(lm, documents):
    model = model_of(lm, 3, awake=False)
    reasoner, batch, compressed = read(lm, model, documents)
    assert compressed.adapters is model.adapters is not None
    frozen = replace(compressed, adapters=None)
    logits = [
        reasoner.read(reasoner.latent_context(one), batch.questions).logits_NV
        for one in (compressed, frozen)
    ]
    assert torch.equal(*logits)
    assert model_of(lm, 0, awake=False).adapters is None


@torch.no_grad()
def test_training_generation_and_ranking_read_alike(lm, documents):
    """The likelihood of the right answers is the training loss, and greedy answers follow it."""
    model = model_of(lm, 3)
    reasoner, batch, compressed = read(lm, model, documents)
    context = reasoner.latent_context(compressed)
    changed = reasoner.read(context, batch.questions).logits_NV
    plain = reasoner.read(replace(context, adapters=None), batch.questions).logits_NV
    assert not torch.allclose(changed, plain, atol=1e-2)

    prefixes = prefixes_of(reasoner, compressed)
    for document, prefix in zip(documents, prefixes, strict=True):
        for question in document.questions[:3]:
            choice = encode_choice(lm, question, [question.answer])
            ((likelihoods,),) = log_likelihoods(lm, [prefix], [[choice]])
            alone = tiny.batch_of(lm, [replace(document, questions=(question,))])
            again = reasoner.read(
                reasoner.latent_context(compress(model, alone.states, RATIO)), alone.questions
            )
            picked = again.logits_NV.log_softmax(-1).gather(1, again.targets_N[:, None])
            assert len(picked) == len(answer_ids(lm, question, question.answer))
            assert likelihoods[0].total == pytest.approx(float(picked.sum()), abs=1e-3)


@torch.inference_mode()
def test_packed_and_padded_readings_agree_and_frozen_ones_differ(lm, documents):
    model = model_of(lm, 3)
    reasoner, _, compressed = read(lm, model, documents)
    prefixes = prefixes_of(reasoner, compressed)
    prompts = [[lm.encode_question(q.text) for q in one.questions[:3]] for one in documents]
    with adapted(lm, adapters_of(prefixes)):
        packed = PackedReading(lm, prefixes, prompts, 4).first()
        padded = PaddedReading(lm, prefixes, prompts).first()
    torch.testing.assert_close(packed, padded, rtol=1e-3, atol=1e-3)
    frozen = PaddedReading(lm, prefixes, prompts).first()
    assert not torch.allclose(frozen, padded, atol=1e-2)
    bare = [replace(prefix, adapters=None) for prefix in prefixes]
    assert answers(lm, prefixes, documents) != answers(lm, bare, documents)


def test_text_is_read_by_the_frozen_model_and_no_hook_is_left(lm, documents):
    texts = ceiling(lm, documents)
    before = answers(lm, texts, documents)
    model = model_of(lm, 3)
    reasoner, _, compressed = read(lm, model, documents)
    answers(lm, prefixes_of(reasoner, compressed), documents)
    assert answers(lm, texts, documents) == before
    with pytest.raises(RuntimeError, match="stop"), adapted(lm, model.adapters):
        raise RuntimeError("stop")
    assert not any(block._forward_pre_hooks for block in reasoner.blocks)


def test_one_batch_is_read_in_one_way(lm, documents):
    model = model_of(lm, 3)
    reasoner, _, compressed = read(lm, model, documents)
    mixed = [*prefixes_of(reasoner, compressed)[:1], *ceiling(lm, documents)[:1]]
    with pytest.raises(ValueError, match="different adapters"):
        answers(lm, mixed, documents[:2])
    assert adapters_of([]) is None


def test_every_weight_learns_once_they_are_awake(lm, documents):
    model = model_of(lm, 3)
    reasoner, batch, compressed = read(lm, model, documents)
    reading = reasoner.read(reasoner.latent_context(compressed), batch.questions)
    OBJECTIVES["answer"].loss(Step(reasoner, batch, compressed, reading)).backward()
    assert all(weight.grad is not None for weight in model.parameters())
    assert model.adapters.down_LRr.grad.abs().sum() > 0 < model.adapters.up_LrR.grad.abs().sum()
    assert all(weight.grad is None for weight in lm.model.parameters())


def test_what_knows_the_weights_alone_refuses(lm):
    spec = tiny.spec_of(lm, reader_rank=2, positions="sequential")
    subject: Any = SimpleNamespace(state=SimpleNamespace(spec=spec), name="x")
    with pytest.raises(CheckpointError, match="--backend vllm: x: .*model.reader_rank"):
        check_positions("vllm", [subject])
    check_positions("transformers", [subject])
    assert "rank 2" in adapters_note(2) and adapters_note(0) == ""
