"""Baselines of text and of states: never more than the latents have, and what they say they are."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate import suite
from latentcomp.evaluate.arms.dense import nearness
from latentcomp.evaluate.arms.latents import compress_documents
from latentcomp.evaluate.arms.other_states import before_last_third
from latentcomp.evaluate.arms.packing import pack_chunks
from latentcomp.evaluate.arms.pooling import stretch_means
from latentcomp.evaluate.arms.retrieval import Bm25, search_library
from latentcomp.evaluate.arms.table import ARMS, EVERY_ARM, select_arms
from latentcomp.evaluate.arms.text import embed_text, embed_tokens
from latentcomp.evaluate.bench import ArmInputs
from latentcomp.evaluate.result import EvaluationResult

from ..train import tiny
from . import rows
from .tiny_suite import bench

PER_QUESTION = [name for name, arm in ARMS.items() if arm.per_question]
BASELINES = [name for name, arm in ARMS.items() if arm.optional and name != "undated"]

NOTES = Document(
    "notes",
    tuple(
        Chunk(index, text, day=3 * index)
        for index, text in enumerate(
            (
                "Vela keeps a red boat at the harbour.",
                "Toma bought a house in the valley.",
                "Vela keeps a green boat at the harbour.",
                "It rained all day.",
                "Nothing was heard from Vela.",
            )
        )
    ),
    (
        Question("q0", "latest", "Which boat does Vela keep?", "green", evidence=(2,)),
        Question("q1", "fact", "Where is the house of Toma?", "valley", evidence=(1,)),
    ),
)
BOAT, HOUSE = NOTES.questions


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, chunks, split="test").document for i, chunks in enumerate((3, 6))]
    return [replace(document, questions=document.questions[:2]) for document in made]


def inputs(lm, documents, budget):
    prefix = embed_text(lm, "")
    zeros = torch.zeros(budget, prefix.shape[1])
    latents = [compress_documents(bench(lm), documents, lambda count: None).prefixes[0]]
    latents = [replace(latents[0], x_PD=torch.cat([prefix, zeros])) for _ in documents]
    return ArmInputs(bench(lm), documents, latents, seed=0)


@pytest.mark.parametrize("budget", [1, 9, 40, 10_000])
@pytest.mark.parametrize("name", [n for n in BASELINES if "trunc" in n or n in PER_QUESTION])
def test_text_at_equal_tokens_has_no_more_tokens_and_no_fewer_if_there_are(
    lm, documents, name, budget
):
    made = inputs(lm, documents, budget)
    prefixes = ARMS[name].make(made)
    read = suite.one_by_one(documents) if ARMS[name].per_question else documents
    for document, prefix in zip(read, prefixes, strict=True):
        tokens = len(prefix.x_PD) - made.head
        assert tokens <= budget
        if name != "oracle":
            whole = sum(len(lm.encode(chunk.text + "\n")) for chunk in document.chunks)
            assert tokens >= min(budget, whole - 1)


def test_all_words_of_the_question_find_their_chunk():
    scorer = Bm25([NOTES])
    assert scorer.ranked(NOTES, BOAT)[:2] == [0, 2]
    assert scorer.ranked(NOTES, HOUSE)[0] == 1


@pytest.mark.parametrize("text", ["", "?", "zzz qqq", "the of it"])
def test_a_question_without_a_known_word_ranks_chunks_as_they_stand(text):
    scorer = Bm25([NOTES])
    assert not scorer.scores(NOTES, replace(BOAT, text=text)).any()
    assert scorer.ranked(NOTES, replace(BOAT, text=text)) == [0, 1, 2, 3, 4]


def test_a_document_without_words_has_scores_of_zero():
    empty = Document("empty", (Chunk(0, "a"), Chunk(1, "")), (BOAT,))
    assert Bm25([empty]).scores(empty, BOAT).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "first"),
    [("bm25", [0, 1]), ("newest", [2, 1]), ("oracle", [2, 1])],
)
def test_who_searches_takes_the_chunk_it_is_named_for_first(lm, name, first):
    for question, index in zip(NOTES.questions, first, strict=True):
        alone = replace(NOTES, questions=(question,))
        tokens = len(lm.encode(NOTES.chunks[index].text + "\n"))
        (prefix,) = ARMS[name].make(inputs(lm, [alone], tokens))
        assert torch.equal(prefix.x_PD, pack_chunks(lm, NOTES, [index], tokens).x_PD)


def test_chunks_stand_in_their_order_and_the_last_taken_is_cut(lm):
    first, third = (lm.encode(NOTES.chunks[index].text + "\n") for index in (0, 2))
    packed = pack_chunks(lm, NOTES, [2, 0, 1], len(third) + 3)
    body = embed_tokens(lm, lm.encode(lm.prompt.head) + first[:3] + third)
    assert torch.equal(packed.x_PD, body)


def test_retrieval_reads_the_days_where_they_are_written_apart(lm):
    dated = replace(
        NOTES,
        chunks=tuple(replace(c, dated_text=f"Day {c.day}. {c.text}") for c in NOTES.chunks),
    )
    tokens = len(lm.encode(str(dated.chunks[2].dated_text) + "\n"))
    (prefix, _) = ARMS["oracle"].make(inputs(lm, [dated], tokens))
    expected = lm.encode(lm.prompt.head) + lm.encode("Day 6. " + NOTES.chunks[2].text + "\n")
    assert torch.equal(prefix.x_PD, embed_tokens(lm, expected))


def test_the_nearest_states_are_those_of_the_same_words(lm):
    """The first chunk has the very states of its words alone; later ones depend on what went
    before, with random weights all too much."""
    texts = ("red boat", "the valley", "it rained")
    for text in texts:
        others = [other for other in texts if other != text]
        chunks = tuple(Chunk(index, one) for index, one in enumerate([text, *others]))
        asked = Document("d", chunks, (Question("q", "fact", text, "x"),))
        tokens = len(lm.encode(text + "\n"))
        (prefix,) = ARMS["dense"].make(inputs(lm, [asked], tokens))
        assert torch.equal(prefix.x_PD, pack_chunks(lm, asked, [0], tokens).x_PD)


def test_what_all_questions_share_draws_none_of_them_to_the_first_chunk():
    """States of what stands alone resemble those of the first chunk, whatever both are about."""
    layers, width, alone = 2, 8, 10 * torch.eye(8)[7]
    about = torch.eye(8)[:4]
    chunks = torch.stack([about[i] + (alone if i == 0 else 0) for i in range(4)])
    questions = torch.stack([about[i] + alone for i in (2, 0, 3, 1)])
    near = nearness(
        chunks[:, None].expand(4, layers, width), questions[:, None].expand(4, layers, width)
    )
    assert near[0].argmax() == 2 and near[2].argmax() == 3 and near[3].argmax() == 1
    single = nearness(chunks[:, None], questions[:1, None])
    assert single.argmax() == 0, "a single question has no others to be compared with"
    assert near.abs().max() <= 1.0 + 1e-5


@pytest.mark.parametrize(("rows_", "count"), [(7, 3), (5, 5), (9, 1), (1, 1), (1000, 333)])
def test_means_over_stretches_cover_every_row_once(rows_, count):
    x_TD = torch.randn(rows_, 4, generator=torch.Generator().manual_seed(0))
    parts = np.array_split(np.arange(rows_), count)
    means = stretch_means(x_TD, count)
    assert means.shape == (count, 4)
    sizes = sorted(len(part) for part in parts)
    assert sizes[-1] - sizes[0] <= 1
    ends = [i * rows_ // count for i in range(count + 1)]
    for mean, (start, stop) in zip(means, zip(ends, ends[1:], strict=False), strict=True):
        assert torch.allclose(mean, x_TD[start:stop].mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("count", [0, 8])
def test_more_stretches_than_rows_are_refused(count):
    with pytest.raises(ValueError, match="stretches of 7 rows"):
        stretch_means(torch.zeros(7, 2), count)


@pytest.mark.parametrize("name", ["pooled_embeddings", "pooled_states", "random_states"])
def test_pooled_vectors_are_at_most_as_many_as_tokens(lm, documents, name):
    """At one latent a token the prompt's head has latents too, so there are more than tokens."""
    made = inputs(lm, documents, 10_000)
    for document, prefix in zip(documents, ARMS[name].make(made), strict=True):
        vectors = prefix.x_PD[made.head :]
        assert 0 < len(vectors) <= made.head + len(lm.encode(document.dated_text))
        assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("name", ["pooled_embeddings", "pooled_states", "random_states"])
def test_pooled_vectors_are_as_many_as_latents_and_differ_by_document(lm, documents, name):
    made = inputs(lm, documents, 6)
    first, second = (prefix.x_PD[made.head :] for prefix in ARMS[name].make(made))
    assert len(first) == len(second) == 6
    assert not torch.allclose(first, second)
    again = [prefix.x_PD[made.head :] for prefix in ARMS[name].make(made)]
    assert torch.equal(first, again[0])


def test_as_many_pooled_embeddings_as_tokens_are_the_text(lm, documents):
    text_TR = embed_tokens(lm, lm.encode(documents[0].dated_text))
    made = inputs(lm, documents[:1] * 2, len(text_TR))
    prefix = ARMS["pooled_embeddings"].make(made)[0]
    assert torch.allclose(prefix.x_PD[made.head :], text_TR, atol=1e-6)


def test_stale_latents_are_those_of_the_document_as_it_was(lm, documents):
    made = inputs(lm, documents, 6)
    cut = [before_last_third(document) for document in documents]
    assert [len(document.chunks) for document in cut] == [2, 4]
    expected = compress_documents(bench(lm), cut, lambda count: None).prefixes
    for prefix, other in zip(ARMS["stale"].make(made), expected, strict=True):
        assert torch.equal(prefix.x_PD, other.x_PD)
    one = replace(NOTES, chunks=NOTES.chunks[:1])
    assert before_last_third(one).chunks == one.chunks


def test_other_text_is_that_of_the_document_whose_latents_are_borrowed(lm, documents):
    made = inputs(lm, documents, 6)
    other = {"ceiling": ARMS["other_text"], "compressed": ARMS["shuffled"]}
    for own, borrowed in other.items():
        mine, theirs = (arm.make(made) for arm in (ARMS[own], borrowed))
        # Of two documents each borrows from the other one.
        for prefix, lent in zip(mine, reversed(theirs), strict=True):
            assert torch.equal(prefix.x_PD, lent.x_PD)


def test_metadata_knows_days_and_no_words(lm):
    """Two documents that differ in their words alone have the same latents."""
    chunks = tuple(replace(c, text=c.text.replace("Vela", "Toma")) for c in NOTES.chunks)
    pair = [NOTES, replace(NOTES, document_id="other", chunks=chunks)]
    later = replace(
        NOTES, document_id="later", chunks=tuple(replace(c, day=90) for c in NOTES.chunks)
    )
    assert len(lm.encode(pair[0].text)) == len(lm.encode(pair[1].text))
    made = inputs(lm, [*pair, later], 6)
    for parameter in made.bench.model.parameters():  # what knows days starts at zero
        torch.nn.init.normal_(parameter, std=0.3)
    first, second, third = (prefix.x_PD for prefix in ARMS["metadata"].make(made))
    own = compress_documents(made.bench, pair, lambda count: None).prefixes
    assert torch.allclose(first, second, atol=1e-5)
    assert not torch.allclose(first, third, atol=1e-3)
    assert not torch.allclose(own[0].x_PD, own[1].x_PD, atol=1e-3)


def test_all_arms_at_once_answer_the_same_questions(lm, documents):
    steps: list[tuple[str, int]] = []
    made = bench(lm, arms=(EVERY_ARM,))
    outcome = suite.run_arms(made, documents, 0, lambda arm, count: steps.append((arm, count)))
    asked = [(d.document_id, q.question_id) for d in documents for q in d.questions]
    for name in ARMS:
        answered = [(r.document_id, r.question_id) for r in outcome.rows if r.arm == name]
        assert answered == asked
        assert sum(count for arm, count in steps if arm == name) == len(documents)
    vectors = outcome.sizes.vectors
    assert vectors["oracle"] <= vectors["bm25"] <= vectors["compressed"] < vectors["ceiling"]
    assert {arm.name for arm in select_arms([EVERY_ARM])} == set(ARMS)


def questions(above):
    """Ten documents with a question of the first and one of the last third."""
    made = []
    for number in range(10):
        for arm in ("ceiling", "floor", "compressed", "shuffled", "zero", "stale"):
            for bucket in ("early", "late"):
                right = arm in ("ceiling", "compressed")
                right |= arm == "stale" and (bucket == "early" or not above)
                made.append(rows.row(f"d{number}", bucket, arm, correct=right, bucket=bucket))
    return made


@pytest.mark.parametrize(("above", "point"), [(True, 1.0), (False, 0.0)])
def test_freshness_is_measured_where_the_last_third_settles_the_answer(above, point):
    result = EvaluationResult.from_scores(questions(above), seed=0, resamples=50)
    interval = result.above_stale["compressed"]
    assert (interval.point, interval.n) == (point, 10)
    assert "stale" not in result.above_stale


def test_freshness_needs_its_arm():
    without = [row for row in questions(True) if row.arm != "stale"]
    assert not EvaluationResult.from_scores(without, seed=0, resamples=50).above_stale


@pytest.mark.parametrize("before", [None, "cuda"])
def test_the_search_library_is_imported_with_jax_on_the_cpu(tmp_path, monkeypatch, before):
    (tmp_path / "bm25s.py").write_text("import os\nSEEN = os.environ['JAX_PLATFORMS']\n")
    monkeypatch.delitem(sys.modules, "bm25s", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    if before is None:
        monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    else:
        monkeypatch.setenv("JAX_PLATFORMS", before)
    assert search_library().SEEN == "cpu"
    assert os.environ.get("JAX_PLATFORMS") == before
    sys.modules.pop("bm25s")
