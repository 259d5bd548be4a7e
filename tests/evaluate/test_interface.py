"""Latents optimised per document: places, starts, questions held out, and what becomes of them."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.compressor.model import compress
from latentcomp.compressor.states import pad_states
from latentcomp.evaluate.interface.measure import OPTIMISED, SHUFFLED, START, measure
from latentcomp.evaluate.interface.optimise import optimise, places
from latentcomp.evaluate.interface.result import sides
from latentcomp.evaluate.interface.settings import Settings
from latentcomp.evaluate.interface.split import split_questions
from latentcomp.evaluate.interface.starts import STARTS, StartInputs, of_model
from latentcomp.evaluate.text_arms import run_text_arms
from latentcomp.extract.read_documents import read_documents
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.packing import encode_questions, pack

from ..train import tiny

RATIO = 4.0


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((2, 3, 2))]
    return [replace(document, questions=document.questions[:4]) for document in made]


@pytest.fixture(scope="module")
def states(lm, documents):
    return pad_states(list(read_documents(lm, documents, tiny.STORED, 3)))


@given(st.integers(0, 20), st.floats(0, 0.99), st.integers(0, 3))
def test_a_share_of_every_documents_questions_is_held_out(index, share, seed):
    document = tiny.story(index % 4, 2).document
    document = replace(document, questions=document.questions[: 1 + index % 12])
    split = split_questions(document, share, seed)
    assert split == split_questions(document, share, seed)
    assert sorted([*split.optimised, *split.held_out], key=str) == sorted(
        document.questions, key=str
    )
    count = len(document.questions)
    assert split.optimised
    if share == 0 or count == 1:
        assert not split.held_out
    else:
        assert split.held_out
        assert abs(len(split.held_out) - share * count) <= 1


def test_half_of_every_family_is_held_out_and_another_half_with_another_seed():
    document = tiny.story(0, 6, 4).document
    held = [split_questions(document, 0.5, seed).held_out for seed in (0, 1)]
    families = {question.family for question in document.questions}
    for family in families:
        count = sum(question.family == family for question in document.questions)
        mine = sum(question.family == family for question in held[0])
        assert abs(mine - count / 2) <= 1
    assert held[0] != held[1]


@pytest.mark.parametrize("positions", ["tokens", "sequential"])
@pytest.mark.parametrize("ratio", [2.0, 4.0, 16.0])
def test_latents_stand_where_those_of_a_compressor_do(lm, states, ratio, positions):
    made = compress(tiny.spec_of(lm, positions=positions).build(), states, ratio)
    where = places(states.mask_BT, ratio, positions)
    most = where.mask_BK.shape[1]
    assert torch.equal(where.mask_BK, made.mask_BK[:, :most])
    assert not made.mask_BK[:, most:].any()
    if positions == "sequential":
        assert made.position_BK is where.position_BK is where.after_B is None
    else:
        assert where.position_BK is not None and made.position_BK is not None
        assert where.after_B is not None and made.after_B is not None
        assert torch.equal(where.position_BK, made.position_BK[:, :most])
        assert torch.equal(where.after_B, made.after_B)


def inputs(lm, documents, states, where, ids):
    return StartInputs(FrozenReasoner(lm), ids, states_ids(lm, documents, states), where.pool_BKT,
                       RATIO, 0, states)  # fmt: skip


def states_ids(lm, documents, states):
    ids = torch.zeros(states.mask_BT.shape, dtype=torch.int64)
    for row, document in enumerate(documents):
        tokens = lm.encode(lm.prompt.head + document.text)
        ids[row, : len(tokens)] = torch.tensor(tokens)
    return ids


def test_starts_by_their_definition(lm, documents, states):
    where = places(states.mask_BT, RATIO, "tokens")
    ids = tuple(one.document_id for one in documents)
    given = inputs(lm, documents, states, where, ids)
    rms = FrozenReasoner(lm).embedding_rms()
    made = {name: start(given) for name, start in STARTS.items()}
    assert {x.shape for x in made.values()} == {(*where.mask_BK.shape, tiny.HIDDEN)}
    tokens, count = int(states.tokens_B[1]), int(where.mask_BK[1].sum())
    first = [token for token in range(tokens) if token * count // tokens == 0]
    table = lm.model.get_input_embeddings().weight
    expected = table[given.token_ids_BT[1, first]].mean(0)
    torch.testing.assert_close(made["embeddings"][1, 0], expected)
    h_TLD = states.h_BTLD[1, first].float()
    unit = (h_TLD / h_TLD.square().mean(-1, keepdim=True).sqrt()).mean((0, 1))
    expected = unit / unit.square().mean().sqrt() * rms
    torch.testing.assert_close(made["states"][1, 0], expected, rtol=1e-3, atol=1e-4)
    assert made["random"].std().item() == pytest.approx(rms, rel=0.2)
    alone = replace(given, document_ids=ids[::-1])
    assert torch.equal(STARTS["random"](alone), made["random"].flip(0)), "drawn by document"
    model = tiny.spec_of(lm).build()
    assert torch.equal(
        of_model(model)(given)[where.mask_BK],
        compress(model, states, RATIO).x_BKR[:, : where.mask_BK.shape[1]][where.mask_BK],
    )


@pytest.fixture(scope="module")
def learned(lm, documents):
    """Documents optimised for half of their questions."""
    settings = Settings(steps=60, lr=0.2, hold_out=0.5)
    return settings, measure(lm, documents, RATIO, settings, STARTS["embeddings"], None)


def surprise(lm, documents, x, parts, settings):
    """Nats per answer token of the questions of one part, read from the latents."""
    reasoner = FrozenReasoner(lm)
    mask = pad_states(list(read_documents(lm, documents, tiny.STORED, 3))).mask_BT
    where = places(mask, RATIO, settings.positions)
    encoded = [encode_questions(lm, part) for part in parts]
    packed = pack(encoded, 200, Random(0))
    reading = reasoner.read(reasoner.latent_context(where.compressed(x)), packed)
    return float(torch.nn.functional.cross_entropy(reading.logits_NV, reading.targets_N))


def test_what_is_optimised_for_is_learned_and_the_rest_less(lm, documents, learned):
    settings, measured = learned
    losses = [sum(values) / len(values) for _, values in measured.curve]
    assert measured.curve[0][0] == 0 and measured.curve[-1][0] == settings.steps - 1
    assert losses[-1] < 0.6 * losses[0], losses
    split = [split_questions(one, 0.5, 0) for one in documents]
    before = measure(lm, documents, RATIO, Settings(steps=0), STARTS["embeddings"], None)
    fell = {}
    for part in ("optimised", "held_out"):
        first, last = (
            surprise(
                lm,
                documents,
                torch.nn.utils.rnn.pad_sequence(list(m.latents.values()), batch_first=True).float(),
                [getattr(one, part) for one in split],
                settings,
            )
            for m in (before, measured)
        )
        fell[part] = first - last
    assert fell["optimised"] > 2 * fell["held_out"], fell


def test_the_arms_read_what_they_say(lm, documents, learned):
    """Before the first step, after the last, and another document's: by prefix, not by name."""
    settings, measured = learned
    rows = {arm: [r for r in measured.rows if r.arm == arm] for arm in (OPTIMISED, START, SHUFFLED)}
    count = sum(len(document.questions) for document in documents)
    assert {arm: len(each) for arm, each in rows.items()} == dict.fromkeys(rows, count)
    said = {arm: [row.prediction for row in each] for arm, each in rows.items()}
    assert said[OPTIMISED] != said[START] and said[OPTIMISED] != said[SHUFFLED]
    unchanged = measure(lm, documents, RATIO, Settings(steps=0), STARTS["embeddings"], None)
    again = {arm: [r.prediction for r in unchanged.rows if r.arm == arm] for arm in rows}
    assert again[OPTIMISED] == again[START] == said[START]
    assert unchanged.curve == []


def test_figures_are_of_the_questions_that_were_seen_and_of_the_others(lm, documents, learned):
    """Planted: right wherever a question was held out, and nowhere else."""
    settings, measured = learned
    held = {
        question.question_id
        for document in documents
        for question in split_questions(document, 0.5, 0).held_out
    }
    text = run_text_arms(lm, documents).rows
    rows = [replace(row, correct=row.question_id in held) for row in [*text, *measured.rows]]
    seen, others = sides(rows, documents, settings, seed=0, resamples=50)
    assert others is not None
    for side, right in ((seen, 0.0), (others, 1.0)):
        assert side.overall.accuracy.keys() == {"ceiling", "floor", OPTIMISED, START, SHUFFLED}
        assert {one.point for one in side.overall.accuracy.values()} == {right}
        assert side.overall.accuracy[OPTIMISED].clusters == len(documents)
    assert others.overall.questions == len(held)
    assert seen.overall.questions == sum(len(one.questions) for one in documents) - len(held)
    assert sides(rows, documents, Settings(hold_out=0), seed=0, resamples=5)[1] is None


def test_the_latents_kept_are_those_that_answered(documents, learned):
    _, measured = learned
    assert list(measured.latents) == [one.document_id for one in documents]
    for x_KR in measured.latents.values():
        assert x_KR.dtype == torch.bfloat16 and x_KR.shape[1] == tiny.HIDDEN
    assert measured.tokens / sum(map(len, measured.latents.values())) == pytest.approx(4, rel=0.05)
    assert len(measured.rows) == 3 * sum(len(document.questions) for document in documents)


def test_a_document_does_not_depend_on_those_beside_it(lm, documents):
    """Their questions are of other lengths, their latents of another number."""
    settings = Settings(steps=3, lr=0.05)
    alone = measure(lm, documents[:2], RATIO, settings, STARTS["embeddings"], None)
    beside = measure(lm, documents, RATIO, settings, STARTS["embeddings"], None)
    for name, x_KR in alone.latents.items():
        torch.testing.assert_close(x_KR, beside.latents[name], rtol=0.05, atol=0.02)


def test_some_questions_a_step_are_drawn_by_step(lm, documents):
    reasoner = FrozenReasoner(lm)
    encoded = [encode_questions(lm, document.questions) for document in documents]
    where = places(torch.ones(3, 64, dtype=torch.bool), RATIO, "tokens")
    start = torch.randn(3, 16, tiny.HIDDEN, generator=torch.Generator().manual_seed(0))
    run = partial(optimise, reasoner, where, start, encoded)
    few = run(Settings(steps=4, question_tokens=32))
    assert torch.equal(few, run(Settings(steps=4, question_tokens=32)))
    assert not torch.equal(few, run(Settings(steps=4, question_tokens=32, seed=1)))
    assert not torch.equal(few, run(Settings(steps=4)))


def test_the_learning_rate_warms_up_stays_and_falls_to_nothing():
    settings = Settings(steps=100, lr=1.0, warmup_steps=10, decay_start=0.5)
    assert [round(settings.lr_at(step), 3) for step in (0, 9, 50, 75, 99)] == [0.1, 1, 1, 0.5, 0.02]
