"""Self-answers are what the reasoner says of the whole text; a killed run goes on."""

import shutil

import pytest

from latentcomp.commands import self_answers as module
from latentcomp.commands.self_answers import SelfAnswersOptions, answer_corpus
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.corpus.requests import REQUESTS, whole_sentences
from latentcomp.reasoner.generate import greedy_answers

from ..extract.command_line import contents, run_command
from ..train import tiny

NAMES = ("about", "names")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return tiny.save_model(tmp_path_factory.mktemp("models") / "tiny", 3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "texts"
    write_corpus(folder, tiny.documents(3), {"preset": "tiny"})
    return folder


@pytest.fixture(autouse=True)
def full_stops(monkeypatch):
    """A model without training writes no sentence."""

    def ending(*given, **named):
        return [[f"{text}." for text in row] for row in greedy_answers(*given, **named)]

    monkeypatch.setattr("latentcomp.reasoner.generate.greedy_answers", ending)


def options(teacher, corpus, out, **changes):
    given = {"requests": ",".join(NAMES), "answer_tokens": 3, "batch_size": 1, **changes}
    return SelfAnswersOptions(corpus=corpus, out=out, reasoner=str(teacher), device="cpu", **given)


def test_every_document_gets_the_reasoners_own_answers(teacher, corpus, tmp_path):
    counted = answer_corpus(options(teacher, corpus, tmp_path / "out"))
    before, after = read_corpus(corpus), read_corpus(tmp_path / "out")
    assert counted == (3, 6, 0) and not (tmp_path / "out.partial").exists()
    for one, other in zip(before.documents, after.documents, strict=True):
        assert other.questions[: len(one.questions)] == one.questions
        own = other.questions[len(one.questions) :]
        assert [question.family for question in own] == ["self_about", "self_names"]
        assert [question.text for question in own] == [REQUESTS[name] for name in NAMES]
        assert other.chunks == one.chunks
    assert after.meta["self_answers"]["corpus"] == before.sha256


def test_a_killed_run_goes_on_to_the_same_bytes(teacher, corpus, tmp_path, monkeypatch):
    answer_corpus(options(teacher, corpus, tmp_path / "whole"))
    asked: list[int] = []
    answer = module._answer

    def dies(lm, batch, names, given):
        asked.append(len(batch))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return answer(lm, batch, names, given)

    monkeypatch.setattr(module, "_answer", dies)
    with pytest.raises(KeyboardInterrupt):
        answer_corpus(options(teacher, corpus, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    answer_corpus(options(teacher, corpus, tmp_path / "out"))
    assert sum(asked) == 1 + 1 + 2, "the first document is not answered again"
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_other_options_do_not_go_on(capsys, teacher, corpus, tmp_path, monkeypatch):
    def dies(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_answer", dies)
    with pytest.raises(KeyboardInterrupt):
        answer_corpus(options(teacher, corpus, tmp_path / "out"))
    line = ("self-answers", "--corpus", corpus, "--out", tmp_path / "out", "--reasoner", teacher)
    error = run_command(capsys, *line, "--requests", "about,names", "--device", "cpu").error
    assert "begun with answer_tokens 3, now 48" in error and "another --out" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--requests", "poem"), "there is no such request; choose of about"),
        (("--out", "."), "there is something already"),
    ],
)
def test_a_misuse_is_one_line(capsys, corpus, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(shutil.copytree(corpus, tmp_path / "here"))
    line = ("self-answers", "--corpus", corpus, "--out", tmp_path / "new", *arguments)
    assert message in run_command(capsys, *line).error


@pytest.mark.parametrize(
    ("text", "whole"),
    [("One. Two", "One."), ("None at all", ""), ("Why? Because!", "Why? Because!"), ("", "")],
)
def test_answers_end_with_a_sentence(text, whole):
    assert whole_sentences(text) == whole
