"""A teacher whose first position is an attention sink: what stands in it moves no mean.

Each arm is made twice, with sinks that point elsewhere, and once as it was made before sinks were
left out, which must differ.
"""

from dataclasses import replace

import pytest
import torch

from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.arms import dense, other_states, pooling
from latentcomp.evaluate.arms.head import text_tokens
from latentcomp.evaluate.arms.latents import compress_documents
from latentcomp.evaluate.arms.table import ARMS
from latentcomp.evaluate.bench import ArmInputs
from latentcomp.models.describe import describe_document
from latentcomp.models.sinks import ordinary_tokens

from ..train import tiny
from .tiny_suite import bench

TEXTS = ("Vela keeps a red boat.", "Toma bought a house.", "It rained all day.")
NOTES = Document(
    "notes",
    tuple(Chunk(index, text, day=index) for index, text in enumerate(TEXTS)),
    tuple(Question(f"q{index}", "fact", text, "x") for index, text in enumerate(TEXTS)),
)
OTHER = replace(NOTES, document_id="other", chunks=NOTES.chunks[::-1])


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


def with_sinks(inputs, seed):
    """The same inputs from a teacher whose first state is 200 times as long as the others, in two
    of its numbers."""
    read = inputs.bench.read

    def huge(documents):
        generator = torch.Generator().manual_seed(seed)
        for one in read(documents):
            states = one.states.float()
            places = torch.randperm(states.shape[-1], generator=generator)[:2]
            states[0, :, places] += 150 * states.norm(dim=-1).median()
            yield replace(one, states=states.to(one.states.dtype))

    return replace(inputs, bench=replace(inputs.bench, read=huge))


@pytest.fixture(scope="module")
def inputs(lm):
    documents = [NOTES, OTHER]
    latents = compress_documents(bench(lm), documents, lambda count: None).prefixes
    return ArmInputs(bench(lm), documents, latents, seed=0)


def vectors(inputs, arm):
    return [prefix.x_PD for prefix in ARMS[arm].make(inputs)]


@pytest.mark.parametrize("arm", ["pooled_states", "random_states", "dense", "metadata"])
def test_means_do_not_depend_on_what_a_sink_holds(inputs, arm, monkeypatch):
    both = [with_sinks(inputs, seed) for seed in (1, 2)]
    if arm == "metadata":  # its compressor is untrained: look at the states that it is given
        means = [other_states._mean_state(each.bench.read(each.documents)) for each in both]
    else:
        means = [torch.cat(vectors(each, arm)) for each in both]
    assert torch.equal(means[0], means[1])

    def all_of_them(h_TLD):
        return torch.ones(len(h_TLD), dtype=torch.bool)

    for module in (dense, other_states, pooling):
        monkeypatch.setattr(module, "ordinary_tokens", all_of_them)
    if arm == "metadata":
        before = [other_states._mean_state(each.bench.read(each.documents)) for each in both]
        assert not torch.allclose(before[0], before[1], rtol=0.1)
    elif arm == "dense":
        # Every question and the first chunk were little but their sinks.
        for each in both:
            features = next(iter(each.bench.read(each.documents)))
            every_T = torch.ones(len(features.states), dtype=torch.bool)
            chunk_NLD = dense._chunk_means(features, every_T)
            norms_N = chunk_NLD.norm(dim=-1).mean(dim=-1)
            assert norms_N[0] > 5 * norms_N[1:].max()
    else:
        before = [torch.cat(vectors(each, arm)) for each in both]
        assert not torch.allclose(before[0], before[1], rtol=0.1)


def test_search_by_states_compares_texts_and_not_the_head(inputs):
    """Without it the head would be in the first chunk and in every question."""
    features = next(iter(inputs.bench.read([NOTES])))
    telling_T = dense._telling(inputs, features)
    assert telling_T.tolist() == [False] * inputs.head + [True] * (len(telling_T) - inputs.head)
    other = replace(features, token_ids=features.token_ids + 1)
    assert dense._telling(inputs, other).all()


def test_no_pooled_state_is_spent_on_a_head_of_many_tokens(lm, inputs):
    changed = replace(lm, prompt=replace(lm.prompt, head="<|endoftext|>Read this text:"))
    other = replace(inputs, bench=bench(changed))
    head = len(changed.encode(changed.prompt.head))
    features = next(iter(other.bench.read([NOTES])))
    assert head > 2
    assert torch.equal(pooling._text_states(other, features), features.states[head - 1 :])
    features = next(iter(inputs.bench.read([NOTES])))
    assert torch.equal(pooling._text_states(inputs, features), features.states)


@pytest.mark.parametrize("head", ["<|endoftext|>", "<|endoftext|>Read this text:"])
def test_a_head_of_many_tokens_is_not_counted_as_text(lm, head):
    """What is compressed is the document, however long the prompt before it is."""
    changed = replace(lm, prompt=replace(lm.prompt, head=head))
    made = compress_documents(bench(changed), [NOTES, OTHER], lambda count: None)
    text = sum(len(lm.encode(document.text)) for document in (NOTES, OTHER))
    assert made.text_tokens == text + 2
    assert made.tokens == text + 2 * len(lm.encode(head))
    entries = [describe_document(changed, document) for document in (NOTES, OTHER)]
    assert sum(text_tokens(changed, one.token_ids) for one in entries) == text + 2


@pytest.mark.parametrize("arm", ["pooled_states", "random_states"])
def test_a_sink_does_not_make_all_other_means_small(inputs, arm):
    plain, huge = (vectors(each, arm)[0] for each in (inputs, with_sinks(inputs, 1)))
    sizes = [each[inputs.head + 1 :].square().mean().sqrt() for each in (plain, huge)]
    assert 0.8 < sizes[1] / sizes[0] < 1.25


@pytest.mark.parametrize(
    ("lengths_TL", "ordinary"),
    [
        ([[1, 1], [2, 1], [3, 1]], [True, True, True]),
        ([[500, 1], [2, 1], [3, 1]], [False, True, True]),
        ([[1, 1], [2, 90], [3, 1], [2, 2]], [True, False, True, True]),
        ([[500, 1]], [True]),
        ([[500, 1], [2, 1]], [False, True]),
        ([[29, 1], [3, 1], [2, 1]], [True, True, True]),
        ([[0, 1], [0, 1], [7, 1]], [True, True, True]),
    ],
)
def test_a_sink_is_longer_than_ten_median_tokens_in_some_layer(lengths_TL, ordinary):
    h_TLD = torch.zeros(len(lengths_TL), 2, 64)
    h_TLD[..., [5, 9]] = torch.tensor(lengths_TL).float()[..., None]
    assert ordinary_tokens(h_TLD).tolist() == ordinary


def test_a_long_state_that_is_spread_over_all_numbers_is_none():
    h_TLD = torch.randn(9, 2, 64, generator=torch.Generator().manual_seed(0))
    h_TLD[0] *= 200
    assert ordinary_tokens(h_TLD).all()
    h_TLD[0, 1] = 0
    h_TLD[0, 1, :4] = 100
    assert ordinary_tokens(h_TLD).tolist() == [False, *[True] * 8]
