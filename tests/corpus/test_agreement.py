"""Every generated question has exactly one right answer: the solver reads it in the text."""

import ast
import inspect
import math
from itertools import chain

import pytest

from latentcomp.corpus.chronicle import check, generate, solver, statements
from latentcomp.corpus.chronicle.check import check_corpus, render_check
from latentcomp.corpus.chronicle.names import SPLITS
from latentcomp.corpus.chronicle.questions import FAMILIES

GUESSABLE = {"changed": 0.5, "order": 0.5}
"""Families with two possible answers; nothing else can be guessed."""
SIGMAS = 4


@pytest.fixture(scope="module")
def checked(lab):
    return check_corpus(chain.from_iterable(lab.values()))


def beyond_chance(share, total):
    """Largest number of hits that chance explains, `SIGMAS` standard deviations up."""
    return share * total + SIGMAS * math.sqrt(share * (1 - share) * total)


def test_solver_shares_nothing_with_the_generator():
    generator = {"names", "world", "render", "questions", "summary", "chronicle", "presets"}
    for module in (statements, solver, check):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[-1] not in generator, module.__name__
                assert not generator & {alias.name for alias in node.names}, module.__name__


def test_solver_agrees_on_lab_documents(checked):
    assert checked.ok, render_check(checked)
    assert checked.documents == 300


def test_solver_agrees_on_long_documents(qwen):
    result = check_corpus(chain.from_iterable(qwen.values()))
    assert result.ok, render_check(result)
    assert result.documents == 4


@pytest.mark.parametrize("preset", ["lab", "qwen"])
def test_every_family_in_every_split(preset, request):
    for split, documents in request.getfixturevalue(preset).items():
        asked = {question.family for document in documents for question in document.questions}
        assert asked == set(FAMILIES), split


def test_changed_is_asked_in_pairs_of_yes_and_no(lab):
    firsts = []
    for document in chain.from_iterable(lab.values()):
        answers = [q.answer for q in document.questions if q.family == "changed"]
        assert sorted(answers) in ([], ["no", "yes"]), document.document_id
        firsts += answers[:1]
    yes, fair = firsts.count("yes"), len(firsts) / 2
    assert abs(yes - fair) <= beyond_chance(0.5, len(firsts)) - fair


def test_right_answer_of_order_is_named_first_half_of_the_time(checked):
    balance = checked.order_first_named
    fair = balance.total / 2
    assert balance.total > 500
    assert abs(balance.hits - fair) <= beyond_chance(0.5, balance.total) - fair


def test_nothing_can_be_guessed_from_the_question(checked):
    assert set(checked.floor) == set(FAMILIES)
    for family, guessed in checked.floor.items():
        most = beyond_chance(GUESSABLE.get(family, 0.02), guessed.total)
        assert guessed.hits <= most, (family, str(guessed))


def test_render_names_families_floor_and_verdict(checked):
    text = render_check(checked)
    assert all(family in text for family in FAMILIES)
    assert str(checked.order_first_named) in text
    assert text.splitlines()[-1].startswith("ok: ")


def test_an_empty_corpus_is_not_ok():
    result = check_corpus([])
    assert not result.ok
    assert "not measured" not in render_check(result)
    assert render_check(result).splitlines()[-1].startswith("not ok: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "split", "documents"),
    [("lab", split, 2000) for split in SPLITS] + [("qwen3-30b", split, 20) for split in SPLITS],
)
def test_solver_agrees_on_thousands(preset, split, documents):
    result = check_corpus(generate(preset, split, documents, 7))
    assert result.ok, render_check(result)
    assert set(result.by_family) == set(FAMILIES)
