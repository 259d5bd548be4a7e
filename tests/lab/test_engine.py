"""Training of a lab model on the CPU: the loss falls, the gradient is clipped, files are whole."""

import json
from dataclasses import replace

import pytest
import torch

from latentcomp.evaluate.arms.text import ceiling
from latentcomp.lab import pretrain as lab
from latentcomp.lab.architecture import (
    END_ID,
    LAB_MODELS,
    STUDENT,
    TEACHER,
    VOCABULARY,
    WEIGHT,
    LabModel,
    build,
)
from latentcomp.lab.engine import Engine, hint_loss, next_token_loss
from latentcomp.lab.sequences import NO_HINT, TWO_HOP, Lesson, LessonBatch, LessonBatches
from latentcomp.lab.training_log import accuracy_by_family
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.segments import attention_mask
from latentcomp.reasoner.generate import greedy_answers

from ..train import tiny

SHAPE = LabModel("tiny", blocks=2, hidden=32, heads=1, feed_forward=32)


@pytest.fixture(scope="module")
def source():
    return LessonBatches(tiny.tokenizer(), Lesson((3, 3), 320, 2, TWO_HOP), seed=0, rank=0, world=1)


def engine_of(seed=0):
    torch.manual_seed(seed)
    model = build(SHAPE)
    return model, Engine(model, 1e-2, compiled=False, captured=True, world=1)


def test_the_loss_falls_and_the_gradient_is_clipped(source, monkeypatch):
    _, engine = engine_of()
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *arguments):
        weights = [weight for group in self.param_groups for weight in group["params"]]
        norms.append(float(torch.cat([weight.grad.flatten() for weight in weights]).norm()))
        return step(self, *arguments)

    monkeypatch.setattr(engine._optimiser, "step", watched.__get__(engine._optimiser))
    losses = [float(engine.step(source[0], 5e-3)[0]) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    assert len(norms) == 12
    assert max(norms) <= 1 + 1e-5
    assert max(norms) > 0.99, "the clip was never reached, so it was not tested"


def test_a_step_of_rate_zero_changes_nothing(source):
    model, engine = engine_of()
    before = [weight.clone() for weight in model.parameters()]
    engine.step(source[0], 0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_loss_by_its_definition(source):
    batch = source[0]
    torch.manual_seed(0)
    logits = torch.randn(*batch.ids.shape, VOCABULARY)
    loss, right = next_token_loss(logits, batch)
    chances = logits.log_softmax(-1)
    total = weight = 0.0
    for row in range(len(batch.ids)):
        for at in range(1, batch.ids.shape[1]):
            w = float(batch.weight[row, at])
            total -= w * float(chances[row, at - 1, batch.ids[row, at]])
            weight += w
    assert float(loss) == pytest.approx(total / weight, rel=1e-4)
    assert torch.equal(right, logits.argmax(-1)[:, :-1] == batch.ids[:, 1:])


def test_the_hint_loss_by_its_definition(source):
    batch = source[0]
    torch.manual_seed(0)
    logits = torch.randn(*batch.ids.shape, VOCABULARY)
    chances = logits.log_softmax(-1)
    places = (batch.hint != NO_HINT).nonzero().tolist()
    assert places
    wanted = -sum(float(chances[b, t, batch.hint[b, t]]) for b, t in places) / len(places)
    assert float(hint_loss(logits, batch)) == pytest.approx(wanted, rel=1e-4)
    nothing = replace(batch, hint=torch.full_like(batch.hint, NO_HINT))
    assert float(hint_loss(logits, nothing)) == 0


def test_hints_reach_the_blocks_up_to_their_depth_and_no_other(source):
    """And the states after the last block are those of the model itself."""
    torch.manual_seed(0)
    model = build(replace(SHAPE, blocks=4))
    engine = Engine(model, 1e-2, compiled=False, captured=False, world=1, hints_at=(1 / 2,))
    batch = source[0]
    mask = attention_mask(batch.segment, torch.float32)
    halfway, last = engine._states(batch, mask)
    whole = model.model(
        input_ids=batch.ids, attention_mask=mask, position_ids=batch.position, use_cache=False
    ).last_hidden_state
    assert torch.equal(last, whole)
    assert not torch.equal(halfway, last)
    engine._gradients.zero_()
    hint_loss(halfway @ model.model.embed_tokens.weight.T, batch).backward()
    moved = [bool(block.mlp.down_proj.weight.grad.any()) for block in model.model.layers]
    assert moved == [True, True, False, False]


def test_accuracy_by_family_counts_whole_answers():
    ids = torch.tensor([[5, 6, 7, 8, 9, 0]])
    family = torch.tensor([[-1, 0, 0, -1, 1, 1]])
    segment = torch.tensor([[0, 1, 1, 2, 2, 2]])
    none = torch.full_like(ids, NO_HINT)
    batch = LessonBatch(ids, segment, segment, (family >= 0).float(), family, none)
    right = torch.tensor([[True, True, False, True, True]])
    from latentcomp.corpus.chronicle.questions import FAMILIES

    first, second = list(FAMILIES)[:2]
    assert accuracy_by_family(batch, right) == {first: 1.0, second: 1.0}
    right[0, 4] = False  # one token of two
    assert accuracy_by_family(batch, right) == {first: 1.0, second: 0.0}


@pytest.mark.parametrize("shape", LAB_MODELS.values(), ids=lambda shape: shape.name)
def test_shapes_are_those_that_are_promised(shape):
    with torch.device("meta"):
        model = build(shape)
    config = model.config
    assert (config.num_hidden_layers, config.hidden_size) == (shape.blocks, shape.hidden)
    assert config.vocab_size == VOCABULARY
    assert config.eos_token_id == END_ID
    assert config.pad_token_id is None, "a padding row is held at zero: see architecture.py"
    size = sum(weight.numel() for weight in model.parameters())
    assert size < 20_000_000


def test_the_teacher_is_deep_and_the_student_a_quarter():
    with torch.device("meta"):
        sizes = [sum(w.numel() for w in build(shape).parameters()) for shape in (TEACHER, STUDENT)]
    assert TEACHER.blocks == 48
    assert sizes[1] <= sizes[0] / 4


def test_the_head_of_every_document_has_a_gradient(source):
    """The end token stands at the head of each document: its row must not be held at zero."""
    model, engine = engine_of()
    assert model.get_input_embeddings().weight[END_ID].norm() > 0
    engine.step(source[0], 1e-3)
    assert model.get_input_embeddings().weight.grad[END_ID].norm() > 0


def test_gradients_are_finite_through_48_blocks(source):
    torch.manual_seed(0)
    model = build(LabModel("deep", blocks=48, hidden=16, heads=1, feed_forward=16))
    engine = Engine(model, 1e-3, compiled=False, captured=False, world=1)
    loss, _ = engine.step(source[0], 1e-3)
    assert torch.isfinite(loss)
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "tiny"
    plan = lab.Pretraining(
        SHAPE, seed=1, seconds=None, steps=2, tokens_per_step=640, length=320, workers=0,
        compile=False, capture=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "build_tokenizer", lambda seed: tiny.tokenizer())  # seconds saved
        return plan, lab.pretrain(plan, folder), folder


def test_what_pretraining_leaves_is_a_model(pretrained):
    _, outcome, folder = pretrained
    lm = load_causal_lm(str(folder))
    assert lm.prompt.ask("Who?") == "\nQuestion: Who?\nAnswer:"
    assert lm.prompt.head == "<|endoftext|>"
    assert outcome.parameters == sum(weight.numel() for weight in lm.model.parameters())
    document = tiny.documents(1)[0]
    asked = [question.text for question in document.questions]
    (answers,) = greedy_answers(lm, ceiling(lm, [document]), [asked])
    assert len(answers) == len(asked)
    assert not list(folder.glob("*.bin"))
    assert not list(folder.glob("*.pt"))


def test_the_record_of_a_pretraining(pretrained):
    plan, outcome, folder = pretrained
    assert (outcome.steps, outcome.tokens, outcome.processes) == (2, 2 * 640, 1)
    record = json.loads(json.dumps(lab.describe(plan, outcome)))
    assert record["plan"]["seed"] == 1
    assert record["outcome"]["steps"] == 2
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 1


def test_the_schedule_warms_up_stays_and_falls():
    steps = [lab._lr_factor(step, 0.0) for step in (0, lab.WARMUP_STEPS // 2, lab.WARMUP_STEPS)]
    assert steps[0] < steps[1] < steps[2] == 1.0
    late = [lab._lr_factor(10**6, progress) for progress in (0.49, 0.75, 0.999)]
    assert late == pytest.approx([1.0, 0.5, 0.01])


def test_a_token_stands_out_from_what_the_blocks_add():
    """Fresh weights: large embeddings, and blocks that write little into the residual stream."""
    torch.manual_seed(0)
    model = build(SHAPE)
    assert float(model.model.embed_tokens.weight.detach().std()) == pytest.approx(0.1, rel=0.05)
    small = WEIGHT / (2 * SHAPE.blocks) ** 0.5
    for block in model.model.layers:
        assert float(block.self_attn.o_proj.weight.detach().std()) == pytest.approx(small, rel=0.1)
        assert float(block.mlp.down_proj.weight.detach().std()) == pytest.approx(small, rel=0.1)
        assert float(block.mlp.up_proj.weight.detach().std()) == pytest.approx(WEIGHT, rel=0.1)


def test_neither_gains_nor_embeddings_decay():
    model, engine = engine_of()
    names = {weight: name for name, weight in model.named_parameters()}
    groups = engine._optimiser.param_groups
    decay = {names[w]: group["weight_decay"] for group in groups for w in group["params"]}
    assert len(decay) == len(names)
    for name, amount in decay.items():
        assert (amount == 0) == ("norm" in name or "embed" in name), name


def test_a_stage_begins_with_the_weights_of_the_one_before(tmp_path):
    before, after = build(SHAPE), build(SHAPE)
    before.save_pretrained(tmp_path)
    lab._load_weights(after, tmp_path)
    for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(one, other), name
