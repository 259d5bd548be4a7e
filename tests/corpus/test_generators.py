"""The table of generators: what each makes, and which one is the default everywhere."""

import inspect
import pickle

import pytest

from latentcomp.commands import evaluation
from latentcomp.commands.evaluate import EvaluateOptions
from latentcomp.common.errors import CorpusError
from latentcomp.corpus.generators import GENERATORS, LAB_GENERATOR, UNRECORDED, generator
from latentcomp.corpus.source import GeneratedCorpus, generate_corpus
from latentcomp.doctor import probe
from latentcomp.evaluate.held_out import held_out
from latentcomp.models.world import generator_for


def test_the_default_of_everything_is_the_version_that_the_lab_teacher_reads():
    assert LAB_GENERATOR in GENERATORS and UNRECORDED in GENERATORS
    assert GeneratedCorpus().resolved["generator"] == LAB_GENERATOR
    assert inspect.signature(held_out).parameters["version"].default == LAB_GENERATOR
    assert EvaluateOptions().request().generator is None, "that of the teacher, below"
    first = next(GENERATORS[LAB_GENERATOR].generate("lab", "train", 1, 0))
    assert first.text in probe.probe_texts(None)


@pytest.mark.parametrize("version", GENERATORS)
def test_a_generated_corpus_says_its_generator(version):
    made = generate_corpus(GeneratedCorpus("lab", "test", 2, 5, version))
    assert made.documents == tuple(GENERATORS[version].generate("lab", "test", 2, 5))
    assert made.meta["generator"] == version
    held = held_out(None, "lab", 2, 5, version)
    assert (held.documents, held.source.generator) == (made.documents, version)
    assert held.source.sha256 == made.sha256


@pytest.mark.parametrize("version", GENERATORS)
def test_live_documents_are_those_of_the_training_split(version):
    live = pickle.loads(pickle.dumps(GENERATORS[version].live("lab", "train", 10_003, 1)))
    written = list(GENERATORS[version].generate("lab", "train", 2, 10_003))
    for index, document in enumerate(written):
        again = live.document(index)
        assert (again.document_id, again.text) == (document.document_id, document.text)
        assert again.dated_text == document.dated_text
        families = [question.family for question in again.questions]
        assert len(families) == len(set(families)) > 5, "one question of a family"


def test_live_documents_of_generator_4_know_what_is_held_out():
    document = GENERATORS[4].live("lab", "train", 10_003, 2).document(0)
    assert {q.family for q in document.questions if q.held_out} == {"holder"}


@pytest.mark.parametrize("version", GENERATORS)
def test_an_endless_corpus_of_unknown_names_is_refused_before_its_first_document(version):
    with pytest.raises(CorpusError, match="unknown split 'dev': choose one of"):
        GENERATORS[version].live("lab", "dev", 1, 1)
    with pytest.raises(CorpusError, match="unknown corpus preset 'huge'"):
        GENERATORS[version].live("huge", "train", 1, 1)


def test_an_unknown_version_is_refused():
    with pytest.raises(CorpusError, match="generator 5: choose one of 3, 4"):
        generator(5)
    with pytest.raises(CorpusError, match="generator 5"):
        generate_corpus(GeneratedCorpus(generator=5))
    with pytest.raises(CorpusError, match="unknown corpus preset 'long'"):
        held_out(None, "long", 2, 1, 3)


@pytest.mark.parametrize(
    ("model", "given", "version"),
    [
        ("lab", None, 4),
        ("lab-student", None, 4),
        ("lab", 3, 3),
        ("lab3", None, 3),
        ("lab3-student", None, 3),
        ("lab3", 4, 4),
        ("nobody/knows", None, 4),
    ],
)
def test_documents_are_of_the_generator_that_the_model_reads(model, given, version):
    assert generator_for(model, given) == version


@pytest.mark.parametrize(("teacher", "version"), [("lab", 4), ("lab3", 3)])
def test_an_evaluation_is_on_what_the_teacher_reads(teacher, version, monkeypatch):
    asked = []
    monkeypatch.setattr(evaluation, "held_out", lambda *given, **named: asked.append(given[-1]))
    for given in (None, 3):
        request = EvaluateOptions(teacher=teacher, generator=given).request()
        evaluation._held_out(request, teacher)
    assert asked == [version, 3]
