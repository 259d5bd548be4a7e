"""Assumption 1: a text teacher that is there, one that is not, and ones that do not work."""

import pytest

from latentcomp.doctor.server import check_server
from latentcomp.doctor.settings import Settings

from ..teacher.fake_server import MODEL, Answer, completion


def check(server, **changes):
    return check_server(Settings(teacher_url=server.url, **changes))


def test_it_answers(server):
    finding = check(server)
    assert finding.status == "ok" and MODEL in finding.observed
    assert [one["id"] for one in finding.details["models"]] == [MODEL]
    assert server.requests[0]["max_tokens"] == 1
    assert check(server, served_model=MODEL).status == "ok"


def test_every_model_is_listed(server):
    server.models = {"data": [{"id": "a"}, {"id": "b"}]}
    finding = check(server, served_model="b")
    assert finding.status == "ok" and "a, b" in finding.observed
    assert server.requests[0]["model"] == "b"


def test_it_is_down(server):
    server.close()
    finding = check(server)
    assert finding.status == "failed" and "no server answers" in finding.observed
    assert finding.next_step is not None and "latentcomp teacher serve" in finding.next_step


def test_a_url_that_is_no_address_is_a_failed_check():
    finding = check_server(Settings(teacher_url="localhost:8000"))
    assert finding.status == "failed" and "is no address" in finding.observed


def test_another_model(server):
    finding = check(server, served_model="gpt")
    assert finding.status == "failed" and f"serves {MODEL}, not 'gpt'" in finding.observed


@pytest.mark.parametrize("models", [{"data": []}, b"<html>", {"hello": 1}])
def test_a_server_without_models(server, models):
    server.models = models
    finding = check(server)
    assert finding.status == "failed" and finding.next_step


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"error": {"message": "no chat template"}}),
        Answer(500, {"error": {"message": "engine died"}}),
        Answer(body=b"nonsense"),
        Answer(body=completion(None)),
    ],
    ids=["no template", "dead engine", "nonsense", "no text"],
)
def test_listed_but_not_working(server, answer):
    server.behave = lambda number, body: answer
    finding = check(server)
    assert finding.status == "failed" and "does not chat" in finding.observed


def test_a_thinking_model_works(server):
    server.behave = lambda number, body: Answer(body=completion("<think>", "length"))
    assert check(server).status == "ok"
