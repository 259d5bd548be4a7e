"""Two ways to read a batch, padded and packed: the same logits, the same answers, by any family."""

import pytest
import torch

from latentcomp.evaluate.arms.text import ceiling, floor
from latentcomp.models.loading import load_causal_lm
from latentcomp.reasoner import question_attention
from latentcomp.reasoner.generate import Prefix, greedy_answers, reading
from latentcomp.reasoner.packed_reading import PackedReading, _shared
from latentcomp.reasoner.padded_reading import PaddedReading
from latentcomp.reasoner.question_attention import FAMILIES, can_read

from ..train import tiny, zoo

STEPS = 3
CLASSES = {
    "cohere": "Cohere",
    "granite": "Granite",
    "llama": "Llama",
    "mixtral": "Mixtral",
    "olmo2": "Olmo2",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "qwen3_moe": "Qwen3Moe",
}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1}
OWN = {
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": EXPERTS | {"num_experts": 4},
}
WIDE = zoo._BASE | {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32}


def model(family, **changes):
    return zoo.reasoner(CLASSES[family], WIDE | OWN.get(family, {}) | changes)


@pytest.fixture(scope="module")
def documents():
    return [tiny.story(index, chunks).document for index, chunks in enumerate((2, 5, 3, 2))]


@pytest.fixture(scope="module")
def texts(documents):
    """Several questions, one, none, and two that are the same."""
    many = [question.text for question in documents[0].questions]
    return [many[:4], many[1:2], [], [many[2], many[2]]]


def prompts_of(lm, texts):
    return [[lm.encode_question(text) for text in row] for row in texts]


@torch.inference_mode()
def logits(batch):
    """Of the first token and of some more, while every second answer goes on."""
    given = [batch.first()]
    going = torch.arange(len(given[0]))
    ids = given[0].argmax(-1)
    for _ in range(STEPS):
        going, ids = going[::2], ids[::2]
        given.append(batch.following(ids, going))
        ids = given[-1].argmax(-1)
    return given


def test_every_family_of_the_list_is_tried():
    assert set(CLASSES) == FAMILIES


@pytest.mark.parametrize("family", CLASSES)
def test_both_ways_give_the_same_logits(family, documents, texts):
    lm = model(family)
    prefixes, prompts = ceiling(lm, documents), prompts_of(lm, texts)
    packed = reading(lm, prefixes, prompts)
    assert isinstance(packed, PackedReading)
    pairs = zip(logits(packed), logits(PaddedReading(lm, prefixes, prompts)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("arm", [ceiling, floor])
def test_positions_of_our_own(arm, documents, texts):
    lm = tiny.lm(4, seed=1)
    prefixes = [
        Prefix(each.x_PD, torch.arange(len(each.x_PD)) * 3, 5 + 3 * len(each.x_PD))
        for each in arm(lm, documents)
    ]
    prompts = prompts_of(lm, texts)
    packed, padded = PackedReading(lm, prefixes, prompts, 8), PaddedReading(lm, prefixes, prompts)
    for one, other in zip(logits(packed), logits(padded), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_answers_of_the_lab_teacher_are_the_same_at_any_batch_size(at_once, monkeypatch):
    """Real answers of the shipped model, from text and from vectors that say nothing."""
    from latentcomp.evaluate.held_out import held_out

    lm = load_causal_lm("lab")
    documents = held_out(None, "lab", 3, 41, 4).documents
    asked = [[each.text for each in document.questions[:6]] for document in documents]
    whole = ceiling(lm, documents)
    noise = [Prefix.counted(torch.randn(40 + i, 128) * 0.1) for i in range(3)]
    found = [greedy_answers(lm, each, asked, batch_size=at_once) for each in (whole, noise)]
    monkeypatch.setattr(PackedReading, "can", staticmethod(lambda *given: False))
    assert found == [greedy_answers(lm, each, asked, batch_size=3) for each in (whole, noise)]
    right = [q.answer for document in documents for q in document.questions[:6]]
    said = [answer for row in found[0] for answer in row]
    assert sum(map(str.__eq__, right, said)) > 12, "answers of a model that reads"


@pytest.mark.parametrize(
    ("prompts", "shared"),
    [
        ([], []),
        ([[7]], []),
        ([[7, 8, 9]], [7, 8]),
        ([[7, 8, 9], [7, 8, 5]], [7, 8]),
        ([[7, 8, 9], [7, 8, 9]], [7, 8]),
        ([[7, 8, 9], [7]], []),
        ([[7, 8, 9], [6, 8, 9]], []),
    ],
)
def test_what_all_prompts_begin_with_but_the_last_token_of_each(prompts, shared):
    assert _shared(prompts) == shared


def test_others_are_read_padded(documents, texts):
    lm, odd = model("llama"), zoo.reasoner(*zoo.READ["learned positions"])
    prefixes, prompts = ceiling(lm, documents), prompts_of(lm, texts)
    assert can_read(lm.model) and not can_read(odd.model)
    for config in ({"sliding_window": 64, "use_sliding_window": True, "max_window_layers": 1},):
        assert not can_read(model("qwen3", **config).model)
    assert not can_read(model("llama").model.to(torch.bfloat16))
    assert not PackedReading.can(lm, prefixes, [[[]], *prompts[1:]]), "an empty prompt"
    assert not PackedReading.can(lm, [Prefix.counted(prefixes[0].x_PD[:0])], prompts[:1])
    assert isinstance(reading(odd, ceiling(odd, documents), prompts), PaddedReading)


def test_the_model_is_left_as_it_was(documents, texts):
    lm = model("qwen3")
    config = lm.model.config
    before = config._attn_implementation
    greedy_answers(lm, ceiling(lm, documents), texts)
    assert config._attn_implementation == before == "sdpa"
    with pytest.raises(RuntimeError), question_attention.attending(lm.model):
        raise RuntimeError
    assert config._attn_implementation == before


def test_a_row_without_its_places_is_refused():
    lm = model("qwen3")
    with (
        question_attention.attending(lm.model),
        pytest.raises(ValueError, match="with its places"),
    ):
        lm.model(input_ids=torch.tensor([[1, 2, 3]]))
