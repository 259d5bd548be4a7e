"""All arms answer the same questions, and each reads what it says it reads."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from latentcomp.evaluate import answers, suite
from latentcomp.evaluate.arms import controls, latents
from latentcomp.evaluate.arms.table import REQUIRED_ARMS, WHOLE_ARMS
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.generate import greedy_answers

from ..train import tiny
from .tiny_suite import bench

SEED = 3


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((2, 4, 3, 2))]
    return [replace(document, questions=document.questions[:3]) for document in made]


@pytest.fixture(scope="module")
def made():
    return bench(tiny.lm(4))


def run(made, documents, seed=SEED, progress=lambda arm, documents: None):
    return suite.run_arms(made, documents, seed, progress)


@pytest.fixture(scope="module")
def told():
    """How much of every arm was said to be done."""
    return Counter[str]()


@pytest.fixture(scope="module")
def watched(made, documents, told):
    """An outcome, and the prefixes of every arm as they were asked."""
    given = {}

    def watch(lm, documents, prefixes, arm, **rest):
        given[arm] = prefixes
        return answers.answer_questions(lm, documents, prefixes, arm, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, "answer_questions", watch)
        outcome = run(made, documents, progress=lambda arm, count: told.update({arm: count}))
    return outcome, given


@pytest.fixture
def outcome(watched):
    return watched[0]


@pytest.fixture
def seen(watched):
    return watched[1]


def test_all_arms_answer_the_same_questions(outcome, documents, told):
    asked = [(d.document_id, q.question_id) for d in documents for q in d.questions]
    arms = {row.arm for row in outcome.rows}
    assert arms >= set(REQUIRED_ARMS)
    for arm in arms:
        rows = [row for row in outcome.rows if row.arm == arm]
        assert [(row.document_id, row.question_id) for row in rows] == asked
        assert [row.answer for row in rows] == [q.answer for d in documents for q in d.questions]
    parts = ("states", *arms)
    planned = {suite.PLANNED: len(parts) * len(documents)}
    assert told == planned | {part: len(documents) for part in parts}


def test_sizes_add_up(made, documents, outcome):
    sizes = outcome.sizes
    lm = made.reasoner
    tokens = [len(lm.encode(lm.prompt.head + document.text)) for document in documents]
    latents = sum(math.ceil(count / made.ratio) for count in tokens)
    assert sizes.tokens == sum(tokens)
    assert sizes.latents == latents
    assert sizes.latent_bytes == latents * tiny.HIDDEN * 2
    assert sizes.state_bytes == sum(tokens) * 2 * tiny.HIDDEN * 2  # two layers in bfloat16
    for arm in ("compressed", "shuffled", "zero", "gaussian"):
        assert sizes.vectors[arm] == latents
    assert sizes.vectors["floor"] == 0
    head = len(lm.encode(lm.prompt.head))
    assert sizes.vectors["ceiling"] == sum(tokens) - head * len(documents)
    assert sizes.tokens_per_latent == sum(tokens) / latents
    assert sizes.text_bytes == sum(len(document.text.encode()) for document in documents)


def test_shuffled_borrows_the_latents_of_another_document(documents, outcome, seen):
    borrowed = controls.donor_cycle(len(documents), SEED)
    for mine, other in enumerate(borrowed):
        assert torch.equal(seen["shuffled"][mine].x_PD, seen["compressed"][other].x_PD)
        assert seen["shuffled"][mine].after == seen["compressed"][other].after
        assert not torch.equal(seen["shuffled"][mine].x_PD[1:6], seen["compressed"][mine].x_PD[1:6])
    said = {
        arm: [row.prediction for row in outcome.rows if row.arm == arm]
        for arm in ("compressed", "shuffled")
    }
    assert said["compressed"] != said["shuffled"]


def test_every_control_keeps_the_head_and_the_count(seen):
    for index, own in enumerate(seen["compressed"]):
        for arm in ("zero", "gaussian"):
            control = seen[arm][index]
            assert torch.equal(control.x_PD[:1], own.x_PD[:1]), "the head is no latent"
            assert torch.equal(control.position_P, own.position_P)
            assert control.after == own.after
            assert control.x_PD.shape == own.x_PD.shape
        assert not seen["zero"][index].x_PD[1:].any()
        torch.testing.assert_close(seen["gaussian"][index].x_PD.norm(dim=-1), own.x_PD.norm(dim=-1))


@pytest.mark.parametrize("number", [1, 4])
def test_latents_do_not_depend_on_the_batch(documents, number):
    lm = tiny.lm(4)
    made = [
        latents.compress_documents(bench(lm, number, batch_size=size), documents, lambda done: None)
        for size in (1, 4)
    ]
    assert (made[0].tokens, made[0].latents) == (made[1].tokens, made[1].latents)
    for alone, among in zip(made[0].prefixes, made[1].prefixes, strict=True):
        assert torch.equal(alone.position_P, among.position_P)
        assert alone.after == among.after
        torch.testing.assert_close(alone.x_PD, among.x_PD, rtol=2e-2, atol=2e-2)


def test_what_is_measured_is_what_is_counted(made, documents, monkeypatch):
    """The reasoner reads latents of two bytes a number, and not finer ones."""
    read = []
    context = FrozenReasoner.latent_context

    def watch(reasoner, compressed):
        read.append(compressed)
        return context(reasoner, compressed)

    monkeypatch.setattr(FrozenReasoner, "latent_context", watch)
    latents.compress_documents(made, documents, lambda done: None)
    assert read
    for one in read:
        assert torch.equal(one.z_BKE.bfloat16().to(one.z_BKE), one.z_BKE)
        assert torch.equal(made.model.projection(one.z_BKE), one.x_BKR)


def test_the_same_again(made, documents, outcome):
    assert run(made, documents).rows == outcome.rows


def test_one_document_cannot_be_shuffled(made, documents):
    with pytest.raises(ValueError, match="at least 2"):
        run(made, documents[:1])


def test_vectors_beyond_those_claimed_show_in_the_ratio(made, documents, outcome, monkeypatch):
    """A compressor that has three vectors more put before every question than it has latents."""
    context = FrozenReasoner.latent_context

    def with_three_more(reasoner, compressed):
        given = context(reasoner, compressed)
        x_BCR = torch.cat([given.x_BCR, given.x_BCR[:, -1:].expand(-1, 3, -1)], 1)
        mask_BC = torch.cat([given.mask_BC, given.mask_BC.new_ones(len(given.mask_BC), 3)], 1)
        last = given.position_BC[:, -1:].expand(-1, 3)
        return replace(
            given,
            x_BCR=x_BCR,
            mask_BC=mask_BC,
            position_BC=torch.cat([given.position_BC, last], 1),
        )

    monkeypatch.setattr(FrozenReasoner, "latent_context", with_three_more)
    sizes = run(made, documents).sizes
    assert sizes.latents == outcome.sizes.latents, "what it claims"
    assert sizes.vectors["compressed"] == sizes.latents + 3 * len(documents)
    result = EvaluationResult.from_scores(outcome.rows, seed=0, sizes=sizes, resamples=20)
    assert result.tokens_per_latent == sizes.tokens / (sizes.latents + 3 * len(documents))
    assert result.vectors == sizes.vectors


def test_what_no_compressor_takes_part_in_is_answered_once(made, documents):
    """Of a second compressor the arms with latents alone are read; figures are as if all were."""
    read: list[int] = []

    def counting(model, prefixes, questions, **options):
        read.extend(len(prefix.x_PD) for prefix in prefixes)
        return greedy_answers(model, prefixes, questions, **options)

    first = replace(made, arms=("other_text", "stale"), rank=True)
    torch.manual_seed(1)
    second = replace(first, model=made.model.spec.build())
    known, alone = run(first, documents), run(second, documents)
    # Whatever the first one's latents gave, nothing of it is taken.
    wrong = [
        row if row.arm in WHOLE_ARMS else replace(row, prediction="of the first")
        for row in known.rows
    ]
    steps = Counter[str]()
    again = suite.run_arms(
        replace(second, answerer=counting),
        documents,
        SEED,
        lambda arm, count: steps.update({arm: count}),
        replace(known, rows=wrong),
    )
    assert again == alone
    with_latents = {row.arm for row in alone.rows} - {*WHOLE_ARMS}
    assert len(with_latents) >= 5 and len(read) == len(with_latents) * len(documents)
    assert steps.pop(suite.PLANNED) == sum(steps.values())
