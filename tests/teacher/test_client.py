"""Calls to a server that works, one that is slow, and one that fails in every way it can."""

import json

import pytest

from latentcomp.common.errors import StoreError, TeacherError, UsageError
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.extract.teachers.text import client, prompts
from latentcomp.extract.teachers.text import server as server_module
from latentcomp.extract.teachers.text.cache import ReplyCache
from latentcomp.extract.teachers.text.calls import Call, Message, Named, Reply, parse_reply
from latentcomp.extract.teachers.text.client import ask, find_model, look_up
from latentcomp.extract.teachers.text.server import KEY_VARIABLE, Server
from latentcomp.models.prompt import PromptTemplate

from .fake_server import MODEL, QUICK, Answer, completion


def call(text, **changes):
    base = Call(
        model=MODEL,
        messages=(Message(role="user", content=text),),
        max_tokens=9,
        temperature=0.0,
        seed=0,
        more={},
    )
    return base.model_copy(update=changes)


def named(count, prefix="q"):
    return [Named(f"call {i}", call(f"{prefix}{i}")) for i in range(count)]


@pytest.fixture
def cache(tmp_path):
    return ReplyCache(tmp_path / "cache")


def at(fake, **changes):
    return Server(**{"url": fake.url, "timeout": 10.0, "retries": 2, "concurrency": 4, **changes})


def test_replies_and_what_was_sent(server, cache, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "of somebody's account")
    one = call("hello", max_tokens=5, temperature=0.5, seed=3, more={"top_k": 1})
    replies = ask(at(server), cache, [Named("one", one)])
    assert replies[one.key] == Reply(
        text="about 5 characters", finish_reason="stop", prompt_tokens=100, completion_tokens=7
    )
    (sent,) = server.requests
    assert sent == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 5,
        "temperature": 0.5,
        "seed": 3,
        "top_k": 1,
    }
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == ["Bearer secret"]


def test_a_key_of_another_service_stays_here(server, cache, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "of somebody's account")
    ask(at(server), cache, named(1))
    assert server.keys == ["Bearer none"]


def test_a_proxy_for_the_outer_world_is_not_asked_for_this_machine(server, cache, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert len(ask(at(server), cache, named(1))) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_passes_is_retried(server, cache, status):
    server.behave = lambda number, body: Answer(status if number < 3 else 200, headers=QUICK)
    assert len(ask(at(server, concurrency=1), cache, named(1))) == 1
    assert len(server.requests) == 3


def test_a_broken_connection_is_retried(server, cache, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    server.behave = lambda number, body: Answer(hang_up=number == 1)
    assert len(ask(at(server), cache, named(1))) == 1
    assert len(server.requests) == 2


def test_retries_end(server, cache):
    server.behave = lambda number, body: Answer(503, {"error": {"message": "busy"}}, QUICK)
    with pytest.raises(TeacherError, match="1 of 1 requests failed; first, call 0: HTTP 503 .busy"):
        ask(at(server, retries=3), cache, named(1))
    assert len(server.requests) == 4


def test_one_bad_call_does_not_cost_the_others(server, cache):
    def behave(number, body):
        bad = body["messages"][-1]["content"] == "q2"
        error = {"error": {"message": "This model's maximum context length is 9 tokens"}}
        return Answer(400, error) if bad else Answer()

    server.behave = behave
    calls = named(6)
    with pytest.raises(TeacherError) as error:
        ask(at(server), cache, calls)
    assert "1 of 6 requests failed" in str(error.value)
    assert "call 2: HTTP 400" in str(error.value) and "maximum context length" in str(error.value)
    assert [one.name for one in look_up(cache, calls).missing] == ["call 2"]
    assert len(server.requests) == 6


def test_a_server_that_fails_everything_is_let_go(server, cache):
    server.behave = lambda number, body: Answer(400, {"error": {"message": "no"}})
    with pytest.raises(TeacherError, match="given up after 10 in a row"):
        ask(at(server, concurrency=2), cache, named(50))
    assert client.MAX_FAILURES <= len(server.requests) <= client.MAX_FAILURES + 2


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, KEY_VARIABLE), (403, KEY_VARIABLE), (404, "check --teacher-url and --model")],
)
def test_what_no_call_can_pass_stops_at_once(server, cache, status, says):
    server.behave = lambda number, body: Answer(status, {"error": {"message": "go away"}})
    with pytest.raises(TeacherError, match=says):
        ask(at(server, concurrency=2), cache, named(50))
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>welcome</html>", "no usable reply"),
        (b"", "no usable reply"),
        (b'{"choices": [{"mess', "no usable reply"),
        (b"[1, 2]", "no usable reply"),
        ({"choices": []}, "has no choices"),
        ({"object": "error"}, "choices"),
        (completion(None, "length"), "has no text .finish_reason 'length'"),
        (completion("<think>I wonder", "length"), "unfinished thought"),
    ],
    ids=["html", "empty", "cut off", "list", "no choices", "other", "no text", "thought"],
)
def test_garbage_is_no_reply(server, cache, body, says):
    server.behave = lambda number, _: Answer(body=body)
    with pytest.raises(TeacherError, match=says):
        ask(at(server), cache, named(1))
    assert look_up(cache, named(1)).missing


def test_a_slow_server_is_given_up_in_time(server, cache, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    server.behave = lambda number, body: Answer(wait=30.0)
    with pytest.raises(TeacherError, match=r"no answer within 0\.1 s, 2 times"):
        ask(at(server, timeout=0.1, retries=1), cache, named(1))
    assert len(server.requests) == 2


def test_a_server_that_drips_is_given_up_in_time(server, cache):
    """Each byte comes in time, the whole never."""
    server.behave = lambda number, body: Answer(drip=0.02)
    with pytest.raises(TeacherError, match="no answer within"):
        ask(at(server, timeout=0.3, retries=0), cache, named(1))


@pytest.mark.parametrize("bound", [1, 3])
def test_no_more_than_so_many_at_once(server, cache, bound):
    server.behave = lambda number, body: Answer(wait=0.03)
    assert len(ask(at(server, concurrency=bound), cache, named(12))) == 12
    assert server.most_under_way == bound


def test_a_server_that_is_not_there(cache, server):
    gone = at(server, retries=0)
    server.close()
    with pytest.raises(TeacherError, match=r"no server answers at .*latentcomp teacher serve"):
        ask(gone, cache, named(3))
    with pytest.raises(TeacherError, match=r"no server answers at .*--teacher-url"):
        find_model(gone, None)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "", "http://"])
def test_no_address(url):
    with pytest.raises(UsageError, match="is no address"):
        find_model(Server(url=url), None)


def test_the_model_is_found(server):
    assert find_model(at(server), None).id == MODEL
    assert find_model(at(server), MODEL).id == MODEL
    with pytest.raises(TeacherError, match=f"serves {MODEL}, not 'gpt'"):
        find_model(at(server), "gpt")
    server.models = {"data": [{"id": "a", "max_model_len": 9, "root": "/m"}, {"id": "b"}]}
    assert find_model(at(server), "a").max_model_len == 9
    with pytest.raises(TeacherError, match=r"serves 2 models \(a, b\); name one"):
        find_model(at(server), None)
    server.models = {"data": []}
    with pytest.raises(TeacherError, match="serves 0 models"):
        find_model(at(server), None)


@pytest.mark.parametrize("models", [{"hello": 1}, [], b"<html>"])
def test_a_server_of_another_kind(server, models):
    server.models = models
    with pytest.raises(TeacherError, match="not answer as an OpenAI-compatible"):
        find_model(at(server), None)


def test_equal_calls_are_asked_once_and_nothing_twice(server, cache):
    calls = [*named(3), *named(3)]
    looked_up = look_up(cache, calls)
    assert [one.name for one in looked_up.missing] == ["call 0", "call 1", "call 2"]
    new = ask(at(server), cache, looked_up.missing)
    assert len(server.requests) == 3
    again = look_up(ReplyCache(cache.folder), calls)
    assert again.missing == ()
    assert again.known == new
    assert ask(at(server), cache, again.missing) == {}
    assert len(server.requests) == 3


def test_any_change_of_a_call_is_another_call(cache):
    base = call("a")
    others = [
        call("b"),
        call("a", model="m"),
        call("a", max_tokens=8),
        call("a", temperature=0.1),
        call("a", seed=1),
        call("a", more={"top_k": 1}),
        call("a", messages=(Message(role="system", content="a"),)),
    ]
    assert len({one.key for one in [base, *others]}) == 8
    assert call("a", more={"x": 1, "y": 2}).key == call("a", more={"y": 2, "x": 1}).key


@pytest.mark.parametrize("damage", ["cut", "empty", "another call", "not JSON"])
def test_a_damaged_file_counts_as_absent(server, cache, damage):
    (one,) = named(1)
    ask(at(server), cache, [one])
    path = cache.path(one.call)
    whole = json.loads(path.read_bytes())
    other = whole | {"call": call("other").model_dump(mode="json")}
    path.write_bytes(
        {
            "cut": path.read_bytes()[:-20],
            "empty": b"",
            "another call": json.dumps(other).encode(),
            "not JSON": b"\xff\xfe",
        }[damage]
    )
    assert look_up(cache, [one]).missing == (one,)
    ask(at(server), cache, [one])
    assert json.loads(path.read_bytes()) == whole


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        ask(at(server), ReplyCache(tmp_path / "file" / "cache"), named(2))


def test_thoughts_are_left_out():
    body = json.dumps(completion("<think>hm\n</think>\n\n Lisbon \n"))
    assert parse_reply(body).text == "Lisbon"


def test_a_server_that_counts_no_tokens():
    body = completion("x")
    del body["usage"]
    assert parse_reply(json.dumps(body)).completion_tokens is None


def test_models_are_remembered_by_address(cache):
    a, b = (server_module.ServedModel(id=name) for name in "ab")
    cache.remember("http://one", a)
    cache.remember("http://two", b)
    assert cache.served("http://one") == a and cache.served("http://two") == b
    assert cache.served("http://three") is None
    (cache.folder / "served.json").write_text("[]")
    assert cache.served("http://one") is None


@pytest.mark.parametrize("ask_for", ["summary", "answer"])
def test_the_text_teacher_reads_the_days_where_they_are_written_apart(ask_for):
    """As the ceiling and the reasoner's own summaries do: the latents are told them too."""
    chunks = (Chunk(0, "Ann moved.", 9, "Day 9. Ann moved."), Chunk(1, "It rained.", 12))
    document = Document("d", chunks, (Question("q", "when", "When?", "9"),))
    if ask_for == "summary":
        asked = prompts.summarise(document, 20)
    else:
        asked = prompts.answer(document, document.questions[0])
    assert "Day 9. Ann moved.\nIt rained." in asked.messages[-1].content
    template = PromptTemplate(head="<", question=" {question}", summary=" {budget}")
    assert asked.plain(template).startswith("<Day 9. Ann moved.\nIt rained.")
