"""Objectives: what they are, and that they are zero where nothing is lost."""

import pytest
import torch
from pydantic import ValidationError

from latentcomp.common.errors import PhaseError
from latentcomp.compressor.model import compress
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.train.assemble import check_available
from latentcomp.train.objectives import NEEDS_STATES, OBJECTIVES, Step, alignment_depths
from latentcomp.train.phases import PHASES, Weighted, phase

from . import tiny

DEPTHS = (1, 3, 4)


@pytest.fixture(scope="module")
def batch(lm):
    return tiny.batch_of(lm, tiny.documents(2))


def of_the_document(lm, batch):
    reasoner = FrozenReasoner(lm)
    context = reasoner.document_context(batch.token_ids_BT, batch.states.mask_BT)
    return Step(reasoner, batch, reasoner.read(context, batch.questions, DEPTHS))


def of_latents(lm, batch, number=4):
    torch.manual_seed(2)
    reasoner, model = FrozenReasoner(lm), tiny.spec_of(lm, number).build()
    context = reasoner.latent_context(compress(model, batch.states, 4.0))
    return Step(reasoner, batch, reasoner.read(context, batch.questions, DEPTHS)), model


def test_answer_is_the_cross_entropy_of_the_answer_tokens(lm, batch):
    step, _ = of_latents(lm, batch)
    chances = step.reading.logits_NV.softmax(-1)
    ids = batch.questions.ids_BS[batch.questions.answer_BS]
    expected = -torch.stack([row[i] for row, i in zip(chances, ids, strict=True)]).log().mean()
    torch.testing.assert_close(OBJECTIVES["answer"](step), expected)


@pytest.mark.parametrize("name", ["alignment", "distillation"])
def test_reading_the_document_itself_loses_nothing(lm, batch, name):
    assert abs(float(OBJECTIVES[name](of_the_document(lm, batch)))) < 1e-6
    step, model = of_latents(lm, batch)
    loss = OBJECTIVES[name](step)
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
    torch.testing.assert_close(OBJECTIVES["distillation"](step), expected, rtol=1e-3, atol=1e-5)


def test_alignment_looks_at_directions_and_at_questions_alone(lm, batch):
    step = of_the_document(lm, batch)
    states = step.reading.states
    padding = batch.questions.segment_BS < 0
    assert padding.any()
    for depth in DEPTHS:
        states[depth] = 3.0 * states[depth]
        states[depth][padding] = 5.0
    assert abs(float(OBJECTIVES["alignment"](step))) < 1e-6


@pytest.mark.parametrize("blocks", [1, 4, 12, 48])
def test_depths_are_spread_to_the_last_block(blocks):
    depths = alignment_depths(blocks)
    assert depths[-1] == blocks
    assert list(depths) == sorted(set(depths))
    assert depths[0] >= 1
    assert len(depths) == min(6, blocks)


@pytest.mark.parametrize(
    "fields", [{"name": "guessing", "weight": 1}, {"name": "answer", "weight": 0}]
)
def test_unknown_objectives_and_weights_are_refused(fields):
    with pytest.raises(ValidationError, match="guessing|greater than 0"):
        Weighted(**fields)


def test_each_phase_changes_one_thing():
    """The ladder: between two neighbours only what the later one is there to ask."""
    told = {"number", "title", "learns", "available", "lacks"}
    changes = {
        later.title: {
            name
            for name in type(later).model_fields
            if getattr(earlier, name) != getattr(later, name) and name not in told
        }
        for earlier, later in zip(PHASES, PHASES[1:], strict=False)
        if later.number <= 5
    }
    assert changes == {
        "layers": {"layers"},
        "time": {"time"},
        "projection": {"projection", "scale", "scale_multiple", "spread"},
        "strategy": {"objectives"},
    }
    assert phase(8).reasoner == "student"
    assert [spec.number for spec in PHASES] == list(range(1, 9))
    assert {o.name for spec in PHASES for o in spec.objectives} <= set(OBJECTIVES)
    assert set(OBJECTIVES) >= NEEDS_STATES


@pytest.mark.parametrize("number", [-1, 0, 9, 44])
def test_there_is_no_such_phase(number):
    with pytest.raises(PhaseError, match=f"phase {number}") as caught:
        phase(number)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", PHASES, ids=lambda spec: spec.title)
def test_a_phase_that_lacks_something_says_what(spec):
    if spec.available:
        check_available(spec)
        return
    with pytest.raises(PhaseError, match=spec.lacks):
        check_available(spec)
