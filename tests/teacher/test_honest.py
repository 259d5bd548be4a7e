"""No half reply is kept, none of another model is used again, and every model can be asked."""

import json
import shutil
from typing import Any

import pytest

from latentcomp.common.errors import TeacherError
from latentcomp.corpus.files import read_corpus
from latentcomp.extract.teachers.text import results
from latentcomp.extract.teachers.text.cache import ReplyCache
from latentcomp.extract.teachers.text.calls import Call, Message, Named
from latentcomp.extract.teachers.text.client import ask, find_model, look_up
from latentcomp.extract.teachers.text.server import Server
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.loading import load_tokenizer
from latentcomp.models.prompt import read_prompt

from ..extract import tiny_models
from ..extract.command_line import contents, run_command
from .fake_server import MODEL, Answer, completion, last_turn
from .test_command import command

NO_TEMPLATE = {
    "error": {
        "message": "As of transformers v4.44, default chat template is no longer allowed, so you "
        "must provide a chat template if the tokenizer does not define one."
    }
}


def named(text="q", **changes):
    given: dict[str, Any] = {"max_tokens": 9, "temperature": 0.0, "seed": 0, "more": {}}
    call = Call(model=MODEL, messages=(Message(role="user", content=text),), **given | changes)
    return Named("one", call)


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(tmp_path / "cache")


@pytest.mark.parametrize(
    "reason", ["content_filter", "tool_calls", "abort", "error", "repetition", None]
)
def test_a_reply_that_did_not_end_by_itself_is_no_reply(server, cache, reason):
    server.behave = lambda number, body: Answer(body=completion("Half a sent", reason))
    with pytest.raises(TeacherError, match=f"finish_reason '?{reason}'?, so it may be half"):
        ask(Server(server.url, retries=0), cache, [named()])
    assert look_up(cache, [named()]).missing, "it is not kept"


@pytest.mark.parametrize(
    ("reason", "complete"), [("stop", True), ("eos_token", True), ("length", False)]
)
def test_a_whole_reply_and_one_that_the_limit_cut_are_told_apart(server, cache, reason, complete):
    server.behave = lambda number, body: Answer(body=completion("x", reason))
    (reply,) = ask(Server(server.url), cache, [named()]).values()
    assert reply.complete is complete
    assert not look_up(cache, [named()]).missing


def test_half_a_reply_that_an_earlier_version_kept_is_asked_for_again(server, cache):
    one = named()
    (reply,) = ask(Server(server.url), cache, [one]).values()
    cache.put(one.call, reply.model_copy(update={"finish_reason": "content_filter"}))
    assert look_up(cache, [one]).missing == (one,)


def served_from(server, folder, name=MODEL, length=4096):
    """Has the fake server say that it loaded a model from this folder."""
    entry = {"id": name, "root": str(folder), "max_model_len": length}
    server.models = {"object": "list", "data": [entry]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models of other weights, without a chat template; one with an own prompt."""
    root = tmp_path_factory.mktemp("models")
    made = [
        tiny_models.save(tiny_models.tiny_qwen3(1, seed=seed), root / f"m{seed}") for seed in (0, 1)
    ]
    prompt = {"head": "<|endoftext|>", "question": "\nQ: {question}\nA:", "summary": "\n{budget}:"}
    (made[0] / "latentcomp.json").write_text(json.dumps({"prompt": prompt}))
    return made


def test_another_model_behind_the_same_name_is_asked_anew(
    capsys, server, corpus, tmp_path, folders
):
    """By its folder, by the weights in it, and by the length that it is served with."""
    line = command("summaries", server, corpus, tmp_path / "out", "--budget", 5)

    def asked():
        before = len(server.requests)
        assert run_command(capsys, *line).code == 0
        return len(server.requests) - before

    own = shutil.copytree(folders[0], tmp_path / "own")
    served_from(server, own)
    assert [asked(), asked()] == [6, 0]
    served_from(server, own, length=2048)
    assert [asked(), asked()] == [6, 0]
    served_from(server, "Qwen/Qwen3-0.6B")
    assert [asked(), asked()] == [6, 0]
    served_from(server, own)
    assert asked() == 0, "the first one is there still"
    shutil.copy(folders[1] / "model.safetensors", own / "model.safetensors")
    assert [asked(), asked()] == [6, 0]
    record = results.TextRecord.model_validate_json((tmp_path / "out/summaries.json").read_bytes())
    assert record.model.weights_sha256 == identify_model(locate_model(str(own))).weights_sha256


def test_one_closed_connection_costs_its_own_call_and_says_what_happened(
    server, cache, monkeypatch
):
    """It ended the run as 'no server answers'."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    server.behave = lambda number, body: Answer(hang_up=last_turn(body) == "bad")
    calls = [named(text) for text in ("a", "bad", "c", "d")]
    with pytest.raises(TeacherError) as caught:
        ask(Server(server.url, retries=2, concurrency=1), cache, calls)
    text = str(caught.value)
    assert "1 of 4 requests failed" in text and "no server" not in text
    assert "the connection was closed without a reply, 3 times (RemoteProtocolError: " in text
    assert len(server.requests) == 6 and len(look_up(cache, calls).missing) == 1


def test_a_closed_connection_while_the_models_are_listed_is_tried_again(server, monkeypatch):
    closed: list[str] = []

    def hang_up_once(handler, answer):
        if not closed:
            closed.append(handler.path)
            handler.close_connection = True
        else:
            real(handler, answer)

    from . import fake_server

    real = fake_server.send
    monkeypatch.setattr(fake_server, "send", hang_up_once)
    assert find_model(Server(server.url), None).id == MODEL and closed == ["/v1/models"]


def test_what_will_be_refused_again_is_not_to_be_asked_again(capsys, server, corpus, tmp_path):
    server.behave = lambda number, body: Answer(400, {"error": {"message": "too long"}})
    error = run_command(capsys, *command("summaries", server, corpus, tmp_path)).error
    assert "HTTP 400 (too long)" in error and "asking again would give the same" in error
    assert "run the same command again" not in error


def test_a_model_without_a_chat_template_is_asked_with_its_own_prompt(
    capsys, server, corpus, tmp_path, folders
):
    served_from(server, folders[0])
    ran = run_command(capsys, *command("answers", server, corpus, tmp_path))
    assert ran.code == 0, ran.err
    assert set(server.paths) == {"/v1/models", "/v1/completions"}
    (document, *_) = read_corpus(corpus).documents
    question = document.questions[0].text
    expected = f"<|endoftext|>{document.dated_text}\nQ: {question}\nA:"
    (body,) = [body for body in server.requests if body["prompt"] == expected]
    assert body["stop"] == ["\n"] and body["add_special_tokens"] is False
    assert "chat_template_kwargs" not in body and "messages" not in body
    record = results.TextRecord.model_validate_json((tmp_path / "answers.json").read_bytes())
    assert record.prompt == {"head": "<|endoftext|>", "task": "\nQ: {question}\nA:"}
    assert record.model.plain is True


def test_the_own_prompt_of_a_model_is_the_one_that_the_evaluation_asks_with(folders):
    files = locate_model(str(folders[0]))
    assert read_prompt(files, load_tokenizer(files)).ask("Why?") == "\nQ: Why?\nA:"


def test_a_server_elsewhere_that_wants_a_chat_template_is_asked_plainly(
    capsys, server, corpus, tmp_path
):
    """HTTP 400 for every document; and a rerun knows, with the server and without."""
    server.behave = lambda number, body: (
        Answer(400, NO_TEMPLATE) if "messages" in body else Answer()
    )
    line = command("summaries", server, corpus, tmp_path, "--budget", 5)
    assert run_command(capsys, *line).code == 0
    asked = len(server.requests)
    assert server.paths.count("/v1/completions") == 6
    assert all(text.endswith("\nSummary in 5 tokens:") for text in server.asked[-6:])
    assert run_command(capsys, *line).code == 0 and len(server.requests) == asked
    server.close()
    ran = run_command(capsys, *line)
    assert ran.code == 0 and "no server answers" in ran.err and "came before are used" in ran.err
    error = run_command(capsys, *line, "--api", "chat").error
    assert "no server answers" in error


def test_a_chat_that_was_asked_for_is_not_replaced(capsys, server, corpus, tmp_path):
    server.behave = lambda number, body: Answer(400, NO_TEMPLATE)
    error = run_command(capsys, *command("summaries", server, corpus, tmp_path, "--api", "chat"))
    assert "has no chat template" in error.error and "--api completions" in error.error
    server.behave = lambda number, body: Answer()
    line = command("summaries", server, corpus, tmp_path, "--api", "completions")
    assert run_command(capsys, *line).code == 0
    assert [name for name in contents(tmp_path / "cache") if name == "served.json"]


@pytest.mark.parametrize(
    "more",
    [("--timeout", "inf"), ("--timeout=1e300",), ("--temperature", "inf"), ("--ratio", "1e300")],
    ids=str,
)
def test_absurd_numbers_are_refused_before_anything_is_done(capsys, server, corpus, tmp_path, more):
    error = run_command(capsys, *command("summaries", server, corpus, tmp_path, *more)).error
    assert more[0].partition("=")[0] in error
    assert server.paths == [] and list(tmp_path.iterdir()) == []
