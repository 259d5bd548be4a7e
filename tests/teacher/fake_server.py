"""A small OpenAI-compatible server on a loopback port, which can also misbehave."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "teacher-30b"


@dataclass
class Answer:
    """What goes back over the wire."""

    status: int = 200
    body: Any = None
    """A JSON value, or bytes as they are; None for a completion that echoes the request."""
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds between one white space and the next, for ever, instead of the body."""
    hang_up: bool = False
    """Close the connection without a word."""


def completion(text: str | None, finish_reason: str = "stop") -> dict[str, Any]:
    """The body of a chat completion as vLLM sends it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
    }


def plain(text: str, finish_reason: str = "stop") -> dict[str, Any]:
    """The body of a plain completion as vLLM sends it."""
    body = completion(text, finish_reason)
    choices = [{"index": 0, "text": text, "finish_reason": finish_reason}]
    return body | {"object": "text_completion", "choices": choices}


def last_turn(body: dict[str, Any]) -> str:
    """What was asked: the last turn of a chat, or the text of a plain completion."""
    return str(body["prompt"] if "prompt" in body else body["messages"][-1]["content"])


QUICK = {"retry-after-ms": "1"}
"""The client library waits half a second otherwise."""


class _Http(ThreadingHTTPServer):
    """Says nothing of clients that went away: its stderr is that of the command under test."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeServer:
    """Answers chat completions with `behave(number of the request, its body)`."""

    def __init__(self) -> None:
        self.behave: Callable[[int, dict[str, Any]], Answer] = lambda number, body: Answer()
        self.models: Any = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.under_way = self.most_under_way = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                owner.paths.append(self.path)
                send(self, Answer(body=owner.models))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with owner._lock:
                    owner.paths.append(self.path)
                    owner.keys.append(self.headers.get("authorization"))
                    owner.requests.append(body)
                    number = len(owner.requests)
                    owner.under_way += 1
                    owner.most_under_way = max(owner.most_under_way, owner.under_way)
                try:
                    owner._answer(self, number, body)
                finally:
                    with owner._lock:
                        owner.under_way -= 1

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _answer(self, handler: Any, number: int, body: dict[str, Any]) -> None:
        answer = self.behave(number, body)
        self._stopping.wait(answer.wait)
        if answer.body is None:
            last = last_turn(body)
            said = f"about {len(last)} characters"
            answer.body = plain(said) if "prompt" in body else completion(said)
        if answer.hang_up:
            handler.close_connection = True
        elif answer.drip:
            self._drip(handler, answer)
        else:
            send(handler, answer)

    def _drip(self, handler: Any, answer: Answer) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", "100000")
        handler.end_headers()
        handler.close_connection = True
        try:
            while not self._stopping.wait(answer.drip):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            pass

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def asked(self) -> list[str]:
        """The last turn of every chat request, in the order of arrival."""
        return [last_turn(body) for body in self.requests]

    def wait_for(self, requests: int, seconds: float = 60.0) -> None:
        """Until so many chat requests have arrived."""
        end = time.monotonic() + seconds
        while len(self.requests) < requests:
            assert time.monotonic() < end, f"{len(self.requests)} of {requests} requests came"
            time.sleep(0.01)

    def close(self) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def send(handler: Any, answer: Answer) -> None:
    raw = isinstance(answer.body, bytes)
    data = answer.body if raw else json.dumps(answer.body).encode()
    try:
        handler.send_response(answer.status)
        headers = {"content-type": "application/json", **answer.headers}
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
    except OSError:  # the client has gone
        handler.close_connection = True
