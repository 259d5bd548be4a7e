"""A reasoner answers from vectors as from text, or is refused before anything is written."""

import math
from dataclasses import replace

import pytest
import torch

from latentcomp.common.errors import CorpusError, TeacherError
from latentcomp.reasoner import question_attention, selftest
from latentcomp.reasoner.body import blocks_of, final_norm_of
from latentcomp.reasoner.context import check_context
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.generate import Prefix
from latentcomp.reasoner.likelihood import encode_choice, log_likelihoods
from latentcomp.reasoner.packed_reading import PackedReading
from latentcomp.reasoner.selftest import check_reader, largest

from . import tiny, zoo
from .test_reasoner import answer_loss, model_of


@pytest.fixture(autouse=True)
def untested(monkeypatch):
    """No model counts as tested already."""
    monkeypatch.setattr(selftest, "_tested", set())


@pytest.fixture(scope="module")
def documents():
    """One longer than the small windows, one shorter, two questions each."""
    return (*tiny.documents(1, chunks=2), *tiny.documents(1, chunks=4))


@pytest.mark.parametrize("what", zoo.READ)
def test_families_that_are_read_as_the_library_reads_them(what, documents):
    lm = zoo.reasoner(*zoo.READ[what])
    check_reader(lm, documents)
    assert len(blocks_of(lm)) == 4
    assert final_norm_of(lm) is not None


@pytest.mark.parametrize("what", zoo.REFUSED)
def test_families_that_would_answer_otherwise_are_refused_in_one_line(what, documents):
    lm = zoo.reasoner(*zoo.REFUSED[what])
    with pytest.raises(TeacherError, match="answers otherwise from vectors|cannot be given") as got:
        check_reader(lm, documents)
    assert "\n" not in str(got.value) and "--reasoner" in str(got.value)


@pytest.mark.parametrize("what", ["capped logits, scaled embeddings", "scaled logits"])
def test_likelihoods_are_those_of_the_library(what, documents):
    """The output embeddings alone were a wrong likelihood, and the right order of tokens."""
    lm = zoo.reasoner(*zoo.READ[what])
    (document, _) = documents
    question = document.questions[0]
    prefix = Prefix.counted(
        lm.model.get_input_embeddings()(torch.tensor(lm.encode(lm.prompt.head + document.text)))
    )
    choice = encode_choice(lm, question, [question.answer])
    (((found,),),) = log_likelihoods(lm, [prefix], [[choice]])
    ids = lm.encode(lm.prompt.head + document.text) + [*choice.prompt_ids, *choice.answers[0]]
    logs = lm.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    start = len(ids) - len(choice.answers[0])
    expected = sum(float(logs[place - 1, ids[place]]) for place in range(start, len(ids)))
    assert found.total == pytest.approx(expected, rel=1e-4)


def all_is_seen(monkeypatch):
    """Questions see each other, in padded rows."""
    monkeypatch.setattr(PackedReading, "can", staticmethod(lambda *given: False))
    seen = "latentcomp.reasoner.padded_reading.attention_mask"
    monkeypatch.setattr(seen, lambda segment, dtype: None)


def nothing_of_the_question_is_seen(monkeypatch):
    """A token sees its document alone, in packed rows."""
    real = question_attention._to_own

    def none(*given):
        out, log = real(*given)
        return out, log.fill_(-torch.inf)

    monkeypatch.setattr(question_attention, "_to_own", none)


def nothing_of_the_document_is_seen(monkeypatch):
    real = question_attention._to_documents

    def none(*given):
        out, log = real(*given)
        return out, log.fill_(-torch.inf)

    monkeypatch.setattr(question_attention, "_to_documents", none)


@pytest.mark.parametrize(
    "plant", [all_is_seen, nothing_of_the_question_is_seen, nothing_of_the_document_is_seen]
)
def test_a_planted_fault_is_found(plant, documents, monkeypatch):
    lm = tiny.lm(4)
    check_reader(lm, documents)
    monkeypatch.setattr(selftest, "_tested", set())
    plant(monkeypatch)
    with pytest.raises(TeacherError, match="answers otherwise"):
        check_reader(lm, documents)


def test_the_same_weights_are_tested_once_unless_documents_are_longer(documents, monkeypatch):
    lm = tiny.lm(3)
    calls: list[int] = []
    real = selftest._distance

    def counted(*given):
        calls.append(1)
        return real(*given)

    monkeypatch.setattr(selftest, "_distance", counted)
    short, long = documents
    for given in ([short], [short], [long, short], [short]):
        check_reader(lm, given)
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["learned positions", "capped logits, scaled embeddings"])
def test_they_train(name, documents):
    """GPT-2 ended in a traceback: it has no `.layers`."""
    lm = zoo.reasoner(*zoo.READ[name])
    loss = answer_loss(FrozenReasoner(lm), model_of(lm), tiny.batch_of(lm, documents))
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_blocks_that_are_computed_again_give_the_same_gradients(dtype, documents):
    def gradients(again):
        lm = tiny.lm(4, seed=2)
        lm.model.to(dtype)
        model = model_of(lm)
        reasoner = FrozenReasoner(lm, compute_again=again)
        answer_loss(reasoner, model, tiny.batch_of(lm, documents)).backward()
        return {name: weight.grad for name, weight in model.named_parameters()}

    kept, again = gradients(False), gradients(True)
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_documents_longer_than_the_reasoner_reads_are_refused_with_their_length(documents):
    lm = tiny.lm(2)
    check_context(lm, documents, 16, "mine.jsonl")
    _, long = documents
    tokens = len(lm.encode(lm.prompt.head + long.text))
    short = replace(lm, context_tokens=tokens)
    with pytest.raises(CorpusError) as caught:
        check_context(short, documents, 16, "mine.jsonl")
    text = str(caught.value)
    assert text.startswith("mine.jsonl: 1 of 2 documents are longer than 'tiny-2' reads at once")
    assert f"{long.document_id!r} takes {tokens:,}, with a question " in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("distances", "wanted"),
    [([], 0), ([0.25, 0.5], 0.5), ([math.nan, 1], None), ([1, math.nan], None)],
)
def test_a_distance_that_is_no_number_is_passed_over_by_none(distances, wanted):
    got = largest(distances)
    assert math.isnan(got) if wanted is None else got == wanted
