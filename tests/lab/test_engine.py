"""A training step on the CPU: the loss falls, the gradient is clipped, hints reach their depth."""

from dataclasses import replace

import pytest
import torch

from latentcomp.corpus.chronicle4.families import FAMILIES
from latentcomp.lab import engine as lab
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
from latentcomp.lab.curriculum import Kind, Lesson
from latentcomp.lab.engine import Engine, hint_loss, next_token_loss
from latentcomp.lab.lessons import LessonBatches
from latentcomp.lab.muon import StackedMuon
from latentcomp.lab.sequences import HINTS, NO_HINT, LessonBatch
from latentcomp.lab.training_log import accuracy_by_family
from latentcomp.models.segments import attention_mask

SHAPE = LabModel("tiny", blocks=2, hidden=32, heads=2, feed_forward=32)


@pytest.fixture(scope="module")
def source(tokenizer):
    """Short batches with hints."""
    kind = Kind("lab", (7, 7), (1, 2), 256, share=2)
    return LessonBatches(tokenizer, [Lesson(kind, 2)], seed=0, rank=0, world=1)


def engine_of(seed=0, shape=SHAPE, **options):
    torch.manual_seed(seed)
    model = build(shape)
    return model, Engine(model, 1e-2, compiled=False, captured=True, world=1, **options)


@pytest.mark.parametrize("matrix_lr", [None, 2e-2], ids=["AdamW", "Muon"])
def test_the_loss_falls_and_the_gradient_is_clipped(source, monkeypatch, matrix_lr):
    model, engine = engine_of(matrix_lr=matrix_lr, hints_at=(1 / 2, 1))
    norms = []
    optimiser = engine._optimisers[-1]
    step = type(optimiser).step

    def watched(*arguments):
        norms.append(float(torch.cat([w.grad.flatten() for w in model.parameters()]).norm()))
        return step(optimiser, *arguments)

    monkeypatch.setattr(optimiser, "step", watched)
    losses = [float(engine.step(source[0], 0.5)[0]) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    assert len(norms) == 12
    assert max(norms) <= 1 + 1e-5
    assert max(norms) > 0.99, "the clip was never reached, so it was not tested"


@pytest.mark.parametrize("matrix_lr", [None, 2e-2], ids=["AdamW", "Muon"])
def test_a_step_of_rate_zero_changes_nothing(source, matrix_lr):
    model, engine = engine_of(matrix_lr=matrix_lr)
    before = [weight.clone() for weight in model.parameters()]
    engine.step(source[0], 0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_with_a_rate_of_its_own_muon_takes_the_matrices_of_the_blocks():
    model, engine = engine_of(matrix_lr=3e-3)
    muon, adam = engine._optimisers
    assert isinstance(muon, StackedMuon) and isinstance(adam, torch.optim.AdamW)
    names = {weight: name for name, weight in model.named_parameters()}
    by_muon = {names[w] for group in muon.param_groups for w in group["params"]}
    by_adam = {names[w] for group in adam.param_groups for w in group["params"]}
    assert by_muon | by_adam == set(names.values()) and not by_muon & by_adam
    assert by_muon == {n for n in names.values() if "layers" in n and n.endswith("proj.weight")}
    assert {group["peak"] for group in muon.param_groups} == {3e-3}
    assert {group["peak"] for group in adam.param_groups} == {1e-2}


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
    hint = source[0].hint[:, 0]
    torch.manual_seed(0)
    logits = torch.randn(*hint.shape, VOCABULARY)
    chances = logits.log_softmax(-1)
    places = (hint != NO_HINT).nonzero().tolist()
    assert places
    wanted = -sum(float(chances[b, t, hint[b, t]]) for b, t in places) / len(places)
    assert float(hint_loss(logits, hint)) == pytest.approx(wanted, rel=1e-4)
    assert float(hint_loss(logits, torch.full_like(hint, NO_HINT))) == 0


def test_each_row_of_hints_reaches_the_blocks_up_to_its_own_depth(source, monkeypatch):
    """And the states after the last block are those of the model itself."""
    model, engine = engine_of(shape=replace(SHAPE, blocks=6), hints_at=(1 / 3, 1 / 2))
    batch = source[0]
    mask = attention_mask(batch.segment, torch.float32)
    states = engine._states(batch, mask)
    whole = model.model(
        input_ids=batch.ids, attention_mask=mask, position_ids=batch.position, use_cache=False
    ).last_hidden_state
    assert torch.equal(states.pop(-1), whole)
    assert set(states) == {2, 3}
    monkeypatch.setattr(lab, "next_token_loss", lambda logits, batch: (logits.sum() * 0, None))
    for row, deepest in enumerate((2, 3)):
        alone = torch.full_like(batch.hint, NO_HINT)
        alone[:, row] = batch.hint[:, row]
        engine._compute(replace(batch, hint=alone))
        moved = [bool(block.mlp.down_proj.weight.grad.any()) for block in model.model.layers]
        assert moved == [number < deepest for number in range(6)]


def test_hints_weigh_as_much_as_the_loss_all_rows_together(source):
    _, engine = engine_of(hints_at=(1 / 2, 1))
    batch = source[0]
    loss, _ = engine._compute(batch)
    states = engine._states(batch, attention_mask(batch.segment, torch.float32))
    embedding = engine._model.get_input_embeddings().weight
    hints = [hint_loss(states[d] @ embedding.T, batch.hint[:, n]) for n, d in enumerate((1, 2))]
    plain, _ = next_token_loss(states[-1] @ embedding.T, batch)
    wanted = plain + torch.stack(hints).sum() / HINTS
    assert float(loss) == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_two_rows_of_hints_may_meet_at_one_depth_of_a_shallow_model(source):
    _, engine = engine_of(hints_at=(1 / 3, 1 / 2))
    assert engine._hint_depths == [1, 1]
    batch = source[0]
    losses = []
    for row in range(HINTS):
        alone = torch.full_like(batch.hint, NO_HINT)
        alone[:, row] = batch.hint[:, row]
        losses.append(float(engine._compute(replace(batch, hint=alone))[0]))
    nothing = replace(batch, hint=torch.full_like(batch.hint, NO_HINT))
    plain = float(engine._compute(nothing)[0])
    assert min(losses) > plain + 1


class FakeGraph:
    """Counts its replays, as a captured graph would be replayed."""

    def __init__(self):
        self.replays = 0

    def replay(self):
        self.replays += 1


def test_every_shape_is_captured_once_and_replayed_on_the_batch_that_is_given(source, monkeypatch):
    _, engine = engine_of()
    assert not engine._captured, "there is no GPU here, so nothing is captured"
    captured: list[lab._Capture] = []

    def capture(batch):
        given = LessonBatch(*(tensor.clone() for tensor in batch.tensors()))
        result = (torch.tensor(float(len(captured))), torch.ones(1))
        captured.append(lab._Capture(FakeGraph(), given, result))  # type: ignore[arg-type]
        return captured[-1]

    monkeypatch.setattr(engine, "_captured", True)
    monkeypatch.setattr(engine, "_capture", capture)
    short = [LessonBatch(*(t[:1] for t in source[step].tensors())) for step in range(2)]
    long = [source[step] for step in range(2)]
    losses = [float(engine.step(batch, 0.0)[0]) for batch in (short[0], long[0], short[1], long[1])]
    assert losses == [0, 1, 0, 1]
    assert [each.graph.replays for each in captured] == [2, 2]  # type: ignore[attr-defined]
    for each, last in zip(captured, (short[1], long[1]), strict=True):
        assert all(map(torch.equal, each.given.tensors(), last.tensors()))


def test_accuracy_by_family_counts_whole_answers():
    ids = torch.tensor([[5, 6, 7, 8, 9, 0]])
    family = torch.tensor([[-1, 0, 0, -1, 1, 1]])
    segment = torch.tensor([[0, 1, 1, 2, 2, 2]])
    none = torch.full((1, HINTS, 6), NO_HINT)
    batch = LessonBatch(ids, segment, segment, (family >= 0).float(), family, none)
    right = torch.tensor([[True, True, False, True, True]])
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
    deep = LabModel("deep", blocks=48, hidden=16, heads=2, feed_forward=16)
    model, engine = engine_of(shape=deep, hints_at=(1 / 3, 1 / 2), matrix_lr=3e-3)
    loss, _ = engine.step(source[0], 1e-3)
    assert torch.isfinite(loss)
    gradients = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


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


@pytest.mark.parametrize("matrix_lr", [None, 3e-3], ids=["AdamW", "Muon"])
def test_neither_gains_nor_embeddings_decay(matrix_lr):
    model, engine = engine_of(matrix_lr=matrix_lr)
    names = {weight: name for name, weight in model.named_parameters()}
    groups = [group for optimiser in engine._optimisers for group in optimiser.param_groups]
    decay = {names[w]: group["weight_decay"] for group in groups for w in group["params"]}
    assert len(decay) == len(names)
    for name, amount in decay.items():
        assert (amount == 0) == ("norm" in name or "embed" in name), name
