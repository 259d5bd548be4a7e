"""Greedy answers in batches: those that Hugging Face's `generate` gives one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.evaluate.answers import answer_questions
from latentcomp.evaluate.arms.text import ceiling, embed_text, floor
from latentcomp.reasoner.generate import (
    Prefix,
    greedy_answers,
    greedy_texts,
    vectors_before_questions,
)

from ..train import tiny

MOST = 6


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4, seed=1)


@pytest.fixture(scope="module")
def documents():
    """Of different lengths, so that all but one are padded."""
    return [tiny.story(index, chunks).document for index, chunks in enumerate((2, 5, 3, 2))]


@pytest.fixture(scope="module")
def questions(documents):
    return [[q.text for q in document.questions[: 1 + i]] for i, document in enumerate(documents)]


def text_of(lm, tokens):
    if lm.eos_token_id in tokens:
        tokens = tokens[: tokens.index(lm.eos_token_id)]
    return lm.decode(tokens).strip().split("\n")[0].strip()


def one_by_one(lm, document, question, most=MOST):
    """The definition: the whole prompt as text, and `generate`."""
    ids = lm.encode(lm.prompt.head + document.text) + lm.encode(lm.prompt.ask(question))
    tokens = torch.tensor([ids])
    out = lm.model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=most,
        do_sample=False,
        pad_token_id=lm.eos_token_id,
    )
    return text_of(lm, out[0, len(ids) :].tolist())


@pytest.fixture(scope="module")
def expected(lm, documents, questions):
    return [
        [one_by_one(lm, document, text) for text in texts]
        for document, texts in zip(documents, questions, strict=True)
    ]


def test_the_reference_tells_documents_and_questions_apart(expected):
    flat = [answer for answers in expected for answer in answers]
    assert len(set(flat)) > len(flat) // 2


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_batched_answers_are_those_of_generate(lm, documents, questions, expected, at_once):
    given_answers = greedy_answers(
        lm, ceiling(lm, documents), questions, most_tokens=MOST, batch_size=at_once
    )
    assert given_answers == expected


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 4))
def test_answers_do_not_depend_on_the_company(lm, documents, questions, expected, order, at_once):
    prefixes = ceiling(lm, [documents[i] for i in order])
    asked = [questions[i][::-1] for i in order]
    found = greedy_answers(lm, prefixes, asked, most_tokens=MOST, batch_size=at_once)
    assert found == [expected[i][::-1] for i in order]


def test_a_document_without_questions(lm, documents, questions, expected):
    prefixes = ceiling(lm, documents)
    some = greedy_answers(lm, prefixes, [[], questions[1], [], []], most_tokens=MOST)
    assert some == [[], expected[1], [], []]
    assert greedy_answers(lm, prefixes, [[], [], [], []]) == [[], [], [], []]


def test_positions_are_those_that_are_given(lm, documents, questions):
    """Against the plain model: prefix and question at positions of our own, token by token."""
    x = ceiling(lm, documents[:1])[0].x_PD
    position = torch.arange(len(x)) * 2
    prefix = Prefix(x, position, after=3 * len(x))
    prompt = lm.encode(lm.prompt.ask(questions[1][0]))
    tokens, places = list(prompt), position.tolist()
    table = lm.model.get_input_embeddings()
    for _ in range(MOST):
        embeds = torch.cat([x, table(torch.tensor(tokens))])
        at = torch.tensor([places + [3 * len(x) + i for i in range(len(tokens))]])
        logits = lm.model(inputs_embeds=embeds[None], position_ids=at).logits[0, -1]
        tokens.append(int(logits.argmax()))
    expected = text_of(lm, tokens[len(prompt) :])
    company = ceiling(lm, documents[1:2])
    asked = [[questions[1][0]], questions[1]]
    found = greedy_answers(lm, [prefix, *company], asked, most_tokens=MOST)
    assert found[0] == [expected]
    counted = greedy_answers(lm, [Prefix.counted(x), *company], asked, most_tokens=MOST)
    assert counted[1] == found[1]


def test_positions_matter(lm, documents, questions):
    x = ceiling(lm, documents[:1])[0].x_PD
    asked = [[text for texts in questions for text in texts]]
    plain, far = (
        greedy_answers(lm, [Prefix(x, torch.arange(len(x)), after)], asked, most_tokens=MOST)
        for after in (len(x), len(x) + 700)
    )
    assert plain != far


def test_answers_are_one_line_of_text(lm, documents, questions):
    answers = greedy_answers(lm, ceiling(lm, documents), questions, most_tokens=40)
    flat = [answer for row in answers for answer in row]
    assert all("\n" not in answer and answer == answer.strip() for answer in flat)
    assert not any("<|endoftext|>" in answer for answer in flat)


def test_the_end_token_ends_an_answer(lm, documents, questions):
    """A model whose every second token is the end token, whatever it reads."""
    calls = iter(range(1000))

    def one_word_then_the_end(_module, _arguments, out):
        out.zero_()
        out[..., lm.eos_token_id if next(calls) % 2 else 300] = 1

    handle = lm.model.get_output_embeddings().register_forward_hook(one_word_then_the_end)
    try:
        answers = greedy_answers(lm, ceiling(lm, documents), questions)
    finally:
        handle.remove()
    said = lm.decode([300]).strip()
    assert {answer for row in answers for answer in row} == {said}


def test_longest_answer(lm, documents, questions, expected):
    short = greedy_answers(lm, ceiling(lm, documents), questions, most_tokens=1)
    one = [
        [one_by_one(lm, document, text, most=1) for text in texts]
        for document, texts in zip(documents, questions, strict=True)
    ]
    assert short == one


def test_ceiling_and_floor(lm, documents):
    whole, nothing = ceiling(lm, documents), floor(lm, documents)
    for document, prefix in zip(documents, whole, strict=True):
        assert torch.equal(prefix.x_PD, embed_text(lm, document.text))
        assert prefix.position_P.tolist() == list(range(prefix.after))
    for prefix in nothing:
        assert prefix.after == len(lm.encode(lm.prompt.head)) == len(prefix.x_PD)
        assert torch.equal(prefix.x_PD, nothing[0].x_PD)


def test_every_question_is_scored_in_order(lm, documents):
    done: list[int] = []
    answers = answer_questions(
        lm, documents, ceiling(lm, documents), "ceiling", batch_size=3, progress=done.append
    )
    assert [(row.document_id, row.question_id) for row in answers.rows] == [
        (d.document_id, q.question_id) for d in documents for q in d.questions
    ]
    assert {row.arm for row in answers.rows} == {"ceiling"}
    assert done == [3, 1]


def test_vectors_before_the_question_are_those_that_are_not_the_head(lm, documents):
    (whole,), (nothing,) = ceiling(lm, documents[:1]), floor(lm, documents[:1])
    head = len(nothing.x_PD)
    assert vectors_before_questions(lm, nothing) == 0
    assert vectors_before_questions(lm, whole) == len(whole.x_PD) - head
    smuggled = Prefix.counted(torch.cat([whole.x_PD[:1] + 1, whole.x_PD[1:]]))
    assert vectors_before_questions(lm, smuggled) == len(whole.x_PD), "a vector in the head's place"
    assert vectors_before_questions(lm, Prefix.counted(whole.x_PD[:0])) == 0


def test_a_text_keeps_its_lines_and_an_answer_its_first(lm, documents):
    """A model that says a word, a line break and the word again, whatever it reads."""
    word = 300
    (line_break,) = lm.encode("\n")
    calls = iter([word, line_break, word, lm.eos_token_id] * 2)

    def dictated(_module, _arguments, out):
        out.zero_()
        out[..., next(calls)] = 1

    handle = lm.model.get_output_embeddings().register_forward_hook(dictated)
    try:
        (text,) = greedy_texts(lm, ceiling(lm, documents[:1]), ["Say:"], 8)
        ((answer,),) = greedy_answers(lm, ceiling(lm, documents[:1]), [["What?"]])
    finally:
        handle.remove()
    said = lm.decode([word])
    assert text == f"{said}\n{said}".strip()
    assert answer == said.strip()


def test_greedy_text_is_what_follows_the_prompt(lm, documents):
    prefixes = ceiling(lm, documents)
    prompt = lm.prompt.summarise(8)
    texts = greedy_texts(lm, prefixes, [prompt] * len(prefixes), 8)
    for document, text in zip(documents, texts, strict=True):
        ids = torch.tensor([lm.encode(lm.prompt.head + document.text) + lm.encode(prompt)])
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
        )
        tokens = out[0, ids.shape[1] :].tolist()
        if lm.eos_token_id in tokens:
            tokens = tokens[: tokens.index(lm.eos_token_id)]
        assert text == lm.decode(tokens).strip()
