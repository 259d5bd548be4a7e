"""Objectives: what they are, and that they are zero where nothing is lost."""

import pytest
import torch

from latentcomp.common.errors import RecipeError
from latentcomp.compressor.model import compress
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.train.objectives import OBJECTIVES, Step, alignment_depths, check_objectives

from . import tiny

DEPTHS = (1, 3, 4)


@pytest.fixture(scope="module")
def batch(lm):
    return tiny.batch_of(lm, tiny.documents(2))


def of_the_document(lm, batch):
    reasoner = FrozenReasoner(lm)
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    compressed = compress(tiny.spec_of(lm).build(), batch.states, 4.0)
    return Step(reasoner, batch, compressed, reasoner.read(context, batch.questions, DEPTHS))


def of_latents(lm, batch, number=4):
    torch.manual_seed(2)
    reasoner, model = FrozenReasoner(lm), tiny.spec_of(lm, number).build()
    compressed = compress(model, batch.states, 4.0)
    output = reasoner.read(reasoner.latent_context(compressed), batch.questions, DEPTHS)
    return Step(reasoner, batch, compressed, output), model


def test_answer_is_the_cross_entropy_of_the_answer_tokens(lm, batch):
    step, _ = of_latents(lm, batch)
    chances = step.reading.logits_NV.softmax(-1)
    ids = batch.questions.ids_BS[batch.questions.answer_BS]
    expected = -torch.stack([row[i] for row, i in zip(chances, ids, strict=True)]).log().mean()
    torch.testing.assert_close(OBJECTIVES["answer"].loss(step), expected)


@pytest.mark.parametrize("name", ["alignment", "distillation"])
def test_reading_the_document_itself_loses_nothing(lm, batch, name):
    assert abs(float(OBJECTIVES[name].loss(of_the_document(lm, batch)))) < 1e-6
    step, model = of_latents(lm, batch)
    loss = OBJECTIVES[name].loss(step)
    assert loss.item() > 0.01
    loss.backward()
    gradient = model.compressor.out.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_distillation_by_its_definition(lm, batch):
    step, _ = of_latents(lm, batch)
    full = of_the_document(lm, batch).reading.logits_NV.softmax(-1)
    mine = step.reading.logits_NV.softmax(-1)
    expected = (full * (full.log() - mine.log())).sum(-1).mean()
    torch.testing.assert_close(
        OBJECTIVES["distillation"].loss(step), expected, rtol=1e-3, atol=1e-5
    )


def test_alignment_looks_at_directions_and_at_questions_alone(lm, batch):
    step = of_the_document(lm, batch)
    states = step.reading.states
    padding = batch.questions.segment_BS < 0
    assert padding.any()
    for depth in DEPTHS:
        states[depth] = 3.0 * states[depth]
        states[depth][padding] = 5.0
    assert abs(float(OBJECTIVES["alignment"].loss(step))) < 1e-6


@pytest.mark.parametrize("blocks", [1, 4, 12, 48])
def test_depths_are_spread_to_the_last_block(blocks):
    depths = alignment_depths(blocks)
    assert depths[-1] == blocks
    assert list(depths) == sorted(set(depths))
    assert depths[0] >= 1
    assert len(depths) == min(6, blocks)


def test_an_unknown_objective_is_refused_by_name():
    check_objectives(tiny.RECIPE)
    with pytest.raises(RecipeError, match="objectives.guessing") as caught:
        check_objectives(tiny.RECIPE.changed({"objectives.guessing": 1.0}))
    assert "\n" not in str(caught.value)


def test_the_document_is_read_once_a_step(lm, batch, monkeypatch):
    """However many objectives compare with it."""
    step, _ = of_latents(lm, batch)
    readings = []
    document_context = step.reasoner.document_context

    def counted(*arguments):
        readings.append(arguments)
        return document_context(*arguments)

    monkeypatch.setattr(step.reasoner, "document_context", counted)
    for name in ("alignment", "distillation"):
        OBJECTIVES[name].loss(step)
    assert len(readings) == 1
