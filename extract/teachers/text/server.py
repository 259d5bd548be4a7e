"""An OpenAI-compatible server: where it is, what it serves, and what its errors mean."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from ....common.errors import TeacherError, UsageError
from ....models.files import one_line
from .address import DEFAULT_URL

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY_VARIABLE: Final = "LATENTCOMP_TEACHER_KEY"
"""A variable of our own: the key of somebody's paid account is never sent to a URL unasked."""

START: Final = "start one with `latentcomp teacher serve`, or give --teacher-url"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Server:
    """How to talk to a server."""

    url: str = DEFAULT_URL
    """Up to and with `/v1`."""
    timeout: float = 120.0
    """Seconds that one attempt may take."""
    retries: int = 5
    """Further attempts after one that was refused, broken off or too slow, waiting longer
    each time."""
    concurrency: int = 16
    """Most requests under way at once."""


class ServedModel(BaseModel):
    """One entry of `/v1/models`; what else a server tells about it is ignored."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The name to ask for."""
    root: str | None = None
    """Folder or hub id that vLLM loaded it from."""
    max_model_len: int | None = None
    """Most tokens of prompt and reply together, where the server tells."""


class _Models(BaseModel):
    data: list[ServedModel]


def connect(server: Server) -> "AsyncOpenAI":
    """A client of the server; close it with `async with`.

    Raises:
        UsageError: `server.url` is not an http(s) address.
    """
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    parts = urlsplit(server.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"--teacher-url {server.url!r} is no address; give one such as {DEFAULT_URL}"
        )
    # A proxy that the environment names for the outer world cannot reach this machine's ports.
    own = parts.hostname in _LOOPBACK
    return AsyncOpenAI(
        base_url=server.url,
        api_key=os.environ.get(KEY_VARIABLE) or "none",
        timeout=server.timeout,
        max_retries=server.retries,
        http_client=DefaultAsyncHttpxClient(trust_env=not own),
    )


async def list_models(client: "AsyncOpenAI", server: Server) -> tuple[ServedModel, ...]:
    """What the server serves.

    Raises:
        TeacherError: nothing answers there, or something that is no such server.
    """
    from openai import OpenAIError

    try:
        answer = await client.with_options(max_retries=0).models.with_raw_response.list()
        return tuple(_Models.model_validate_json(answer.content).data)
    except OpenAIError as error:
        raise refused(error, server) from error
    except ValidationError as error:
        raise TeacherError(
            f"{server.url}/models does not answer as an OpenAI-compatible server does; {START}"
        ) from error


def choose_model(served: tuple[ServedModel, ...], wanted: str | None, url: str) -> ServedModel:
    """The model that is meant: the one asked for, or the only one there is.

    Raises:
        TeacherError: the server lacks it, or has several and none was named.
    """
    names = ", ".join(model.id for model in served) or "none"
    if wanted is None and len(served) == 1:
        return served[0]
    if wanted is None:
        raise TeacherError(f"{url} serves {len(served)} models ({names}); name one with --model")
    for model in served:
        if model.id == wanted:
            return model
    raise TeacherError(f"{url} serves {names}, not {wanted!r}; give another --model, or none")


def refused(error: Exception, server: Server) -> TeacherError:
    """What an error of the client library means for the whole run, in one line."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    match error:
        case APITimeoutError():
            what = f"{server.url} did not answer within {server.timeout:g} s"
            return TeacherError(f"{what}; see whether the server is stuck, or give --timeout")
        case APIConnectionError():
            why = one_line(error.__cause__ or error)
            return TeacherError(f"no server answers at {server.url} ({why}); {START}")
        case APIStatusError(status_code=401 | 403):
            what = f"{server.url} refuses the key (HTTP {error.status_code})"
            return TeacherError(f"{what}; set {KEY_VARIABLE} to one that it accepts")
        case APIStatusError():
            what = f"{server.url} answered HTTP {error.status_code} ({status_reason(error)})"
            return TeacherError(f"{what}; check --teacher-url and --model")
        case _:
            return TeacherError(f"{server.url}: {one_line(error)}")


def status_reason(error: Exception) -> str:
    """The server's own words about a status, where it has any."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return one_line(Exception(message)) if isinstance(message, str) else one_line(error)
