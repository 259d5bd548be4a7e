"""Objectives against slow references, written from their definitions alone."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import TeacherError
from latentcomp.compressor.allocation import segments
from latentcomp.compressor.model import Compressed, compress
from latentcomp.compressor.places import latent_of_token
from latentcomp.compressor.states import States
from latentcomp.reasoner.attention import check_attention
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.optimised import Optimised
from latentcomp.train.batches import document_key
from latentcomp.train.objectives import OBJECTIVES, Step
from latentcomp.train.targets import Targets

from . import tiny

DEPTHS = (1, 3, 4)
RATIO = 4.0
DOCUMENTS = tiny.documents(3)


@pytest.fixture(scope="module")
def batch(lm):
    return tiny.batch_of(lm, DOCUMENTS)


@pytest.fixture(scope="module", params=["tokens", "sequential"])
def step(lm, batch, request):
    torch.manual_seed(2)
    reasoner = FrozenReasoner(lm)
    model = tiny.spec_of(lm, positions=request.param).build()
    compressed = compress(model, batch.states, RATIO)
    context = reasoner.latent_context(compressed)
    reading = reasoner.read(context, batch.questions, DEPTHS, DEPTHS)
    names = {one.document_id: torch.randn(99, tiny.HIDDEN) for one in DOCUMENTS[:2]}
    counts = compressed.mask_BK.sum(1).tolist()
    kept = {name: x[:count] for (name, x), count in zip(names.items(), counts, strict=False)}
    targets = Targets(Optimised(None, kept, ""))  # type: ignore[arg-type]
    return Step(reasoner, batch, compressed, reading, targets)


def chances(step):
    """Chances of the latents' reading and of the full one, by answer token."""
    return step.reading.logits_NV.softmax(-1), step.full.logits_NV.softmax(-1)


def kl(left, right):
    return sum(p * math.log(p / q) for p, q in zip(left, right, strict=True) if p > 0)


def over_rows(step, divergence):
    mine, full = (rows.double().tolist() for rows in chances(step))
    pairs = list(zip(mine, full, strict=True))[:7]
    return pairs, sum(divergence(*pair) for pair in pairs) / len(pairs)


def jensen_shannon(mine, full):
    mean = [(p + q) / 2 for p, q in zip(mine, full, strict=True)]
    return (kl(mine, mean) + kl(full, mean)) / 2


@pytest.mark.parametrize(
    ("name", "divergence"),
    [
        ("distillation", lambda mine, full: kl(full, mine)),
        ("reverse_distillation", kl),
        ("mixed_distillation", jensen_shannon),
    ],
)
def test_divergences_by_their_definition(step, name, divergence):
    pairs, expected = over_rows(step, divergence)
    few = slice(len(pairs))
    cut = Step(
        step.reasoner,
        step.batch,
        step.compressed,
        replace(step.reading, logits_NV=step.reading.logits_NV[few]),
    )
    cut._full = replace(step.full, logits_NV=step.full.logits_NV[few])
    assert OBJECTIVES[name].loss(cut).item() == pytest.approx(expected, rel=1e-3)
    assert expected > 1e-3


def middle_latent(token, tokens, count):
    return token * count // tokens


def segment_of(step, row, latent):
    """Tokens of one latent: equal segments, whichever way their places are told."""
    tokens = int(step.batch.states.tokens_B[row])
    count = int(step.compressed.mask_BK[row].sum())
    return [token for token in range(tokens) if middle_latent(token, tokens, count) == latent]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 150), min_size=1, max_size=3), st.floats(1, 33), st.booleans())
def test_tokens_belong_to_the_latent_of_their_segment(lengths, ratio, placed):
    longest = max(lengths)
    mask_BT = torch.arange(longest) < torch.tensor(lengths)[:, None]
    counts_B = (torch.tensor(lengths).double() / ratio).ceil().long().clamp(min=1)
    _, position_BK, mask_BK = segments(mask_BT, counts_B, int(counts_B.max()))
    none = torch.zeros(*mask_BK.shape, 1)
    positions = (position_BK.long(), mask_BT.sum(1)) if placed else (None, None)
    compressed = Compressed(none, mask_BK, none, *positions)
    states = States(torch.zeros(*mask_BT.shape, 0, 1), mask_BT, *3 * [mask_BT.long()])
    latent_BT = latent_of_token(compressed, states)
    for row, tokens in enumerate(lengths):
        expected = [middle_latent(t, tokens, int(counts_B[row])) for t in range(tokens)]
        assert latent_BT[row, :tokens].tolist() == expected


def test_latents_elsewhere_stand_for_the_tokens_nearest_to_them():
    mask_BT = torch.arange(10) < torch.tensor([10, 6])[:, None]
    position_BK = torch.tensor([[1, 8, 0], [0, 1, 5]])
    mask_BK = torch.tensor([[True, True, False], [True, True, True]])
    none = torch.zeros(2, 3, 1)
    compressed = Compressed(none, mask_BK, none, position_BK, mask_BT.sum(1))
    latent_BT = latent_of_token(compressed, States(none, mask_BT, *3 * [mask_BT.long()]))
    assert latent_BT[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert latent_BT[1, :6].tolist() == [0, 1, 1, 1, 2, 2]


def test_reconstruction_is_the_surprise_of_a_segments_tokens(step):
    head: Any = step.reasoner.lm.model
    surprises = []
    for row, ids in enumerate(step.batch.token_ids_BT.tolist()):
        for latent in range(int(step.compressed.mask_BK[row].sum())):
            logits = head.lm_head(head.model.norm(step.compressed.x_BKR[row, latent]))
            logs = logits.log_softmax(-1)
            surprises += [-logs[ids[token]].item() for token in segment_of(step, row, latent)]
    assert len(surprises) == int(step.batch.states.tokens_B.sum())
    expected = sum(surprises) / len(surprises)
    assert OBJECTIVES["reconstruction"].loss(step).item() == pytest.approx(expected, rel=1e-4)


def test_regression_is_relative_to_the_targets_and_skips_documents_without(step):
    errors, sizes = [], []
    for row, document in enumerate(DOCUMENTS[:2]):
        target = step.targets._rows[document_key(document.document_id)]
        for latent, wanted in enumerate(target):
            given_x = step.compressed.x_BKR[row, latent]
            errors.append(float((given_x - wanted).square().mean()))
            sizes.append(float(wanted.square().mean()))
    expected = sum(errors) / sum(sizes)
    assert OBJECTIVES["regression"].loss(step).item() == pytest.approx(expected, rel=1e-4)


def test_regression_without_any_target_teaches_nothing(step):
    other = replace(step.batch, document_B=step.batch.document_B + 1)
    loss = OBJECTIVES["regression"].loss(
        Step(step.reasoner, other, step.compressed, step.reading, step.targets)
    )
    assert float(loss) == 0 and loss.requires_grad


def eager_weights(lm, step, row, number):
    """Attention of every block as transformers computes it: [H, S, S] of one question alone."""
    model, questions = tiny.qwen3(4), step.batch.questions
    model.set_attn_implementation("eager")
    context = step.reasoner.latent_context(step.compressed)
    seen, here = context.mask_BC[row], questions.segment_BS[row] == number
    x = torch.cat([context.x_BCR[row][seen], step.reasoner.embed(questions.ids_BS[row][here])])
    position = torch.cat(
        [context.position_BC[row][seen], context.after_B[row] + questions.offset_BS[row][here]]
    )
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), lm.model.state_dict().values(), strict=True)
    )
    # Without a mask, transformers would take gaps between positions for edges of documents.
    causal = torch.full((len(x), len(x)), torch.finfo(x.dtype).min).triu(1)
    out = model.model(
        inputs_embeds=x[None],
        attention_mask=causal[None, None],
        position_ids=position[None],
        use_cache=False,
        output_attentions=True,
    )
    answers = questions.answer_BS[row][here].nonzero()[:, 0] + int(seen.sum()) - 1
    return [layer[0][:, answers] for layer in out.attentions], int(seen.sum())


def test_attention_is_that_of_the_model_itself(lm, step):
    """Read packed and by another kernel; of the context alone, mean over heads."""
    row, start = 1, int(step.batch.questions.answer_BS[0].sum())
    for number in (1, 2):
        weights, seen = eager_weights(lm, step, row, number)
        count = weights[0].shape[1]
        for depth in DEPTHS:
            alone = weights[depth - 1][..., :seen]
            expected = (alone / alone.sum(-1, keepdim=True)).mean(0)
            mask = step.reasoner.latent_context(step.compressed).mask_BC[row]
            mine = step.reading.attention[depth][start : start + count][:, mask]
            torch.testing.assert_close(mine, expected, rtol=2e-3, atol=1e-4)
        start += count


def latents_of(step, row, chunks):
    """Latents with a token in one of these chunks."""
    chunk_T = step.batch.states.chunk_BT[row].tolist()
    count = int(step.compressed.mask_BK[row].sum())
    return [
        latent
        for latent in range(count)
        if any(chunk_T[token] in chunks for token in segment_of(step, row, latent))
    ]


def test_localization_is_the_share_on_latents_of_the_evidence(lm, step):
    evidence = {
        lm.prompt.ask(question.text): question.evidence
        for document in DOCUMENTS
        for question in document.questions
    }
    questions, places = step.batch.questions, iter(range(len(step.reading.targets_N)))
    head, losses = len(step.reasoner.head_ids), []
    for row in range(len(questions.ids_BS)):
        for number in range(1, int(questions.segment_BS[row].max()) + 1):
            here = questions.segment_BS[row] == number
            prompt = questions.ids_BS[row][here & ~questions.answer_BS[row]].tolist()
            wanted = latents_of(step, row, evidence[lm.decode(prompt)])
            every = range(int(step.compressed.mask_BK[row].sum()))
            assert 0 < len(wanted) < len(every)
            for _ in range(int((here & questions.answer_BS[row]).sum())):
                place = next(places)
                for weights in step.reading.attention.values():
                    share = [float(weights[place, head + latent]) for latent in every]
                    losses.append(-math.log(sum(share[one] for one in wanted) / sum(share)))
    expected = sum(losses) / len(losses)
    assert OBJECTIVES["localization"].loss(step).item() == pytest.approx(expected, rel=1e-4)


def test_localization_leaves_out_questions_without_evidence(step):
    none = replace(step.batch.questions, evidence_BQE=torch.zeros(3, 0, 0, dtype=torch.int64))
    some = step.batch.questions.evidence_BQE.clone()
    some[0] = -1
    losses = [
        OBJECTIVES["localization"].loss(
            Step(step.reasoner, replace(step.batch, questions=questions), step.compressed,
                 step.reading)
        )
        for questions in (none, replace(step.batch.questions, evidence_BQE=some))
    ]  # fmt: skip
    assert float(losses[0]) == 0 and losses[0].requires_grad
    assert float(losses[1]) not in (0, OBJECTIVES["localization"].loss(step).item())


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"answer"}))
def test_every_objective_reaches_the_compressor(lm, batch, step, name):
    model = tiny.spec_of(lm).build()
    compressed = compress(model, batch.states, RATIO)
    context = step.reasoner.latent_context(compressed)
    reading = step.reasoner.read(context, batch.questions, DEPTHS, DEPTHS)
    loss = OBJECTIVES[name].loss(Step(step.reasoner, batch, compressed, reading, step.targets))
    loss.backward()
    out: Any = model.compressor.out
    gradient = out.weight.grad
    assert math.isfinite(loss.item()) and gradient is not None and gradient.abs().sum() > 0
    assert all(weight.grad is None for weight in step.reasoner.lm.model.parameters())


def test_a_model_that_cannot_be_looked_into_is_named():
    blocks = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    with pytest.raises(TeacherError, match="'odd'.*q_proj") as caught:
        check_attention(blocks, "odd")
    assert "\n" not in str(caught.value)
