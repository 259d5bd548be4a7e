"""An OpenAI-compatible server: connection, list of models, and its errors as messages."""

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
"""Own environment variable, so that OPENAI_API_KEY is never sent to another server."""

START: Final = "start one with `latentcomp teacher serve`, or give --teacher-url"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Server:
    """Connection settings of a server."""

    url: str = DEFAULT_URL
    """Up to and with `/v1`."""
    timeout: float = 120.0
    """Seconds that one attempt may take."""
    retries: int = 5
    """Further attempts after a refused, broken or timed-out one, with growing waits."""
    concurrency: int = 16
    """Most concurrent requests."""


class ServedModel(BaseModel):
    """One entry of `/v1/models`; further fields are ignored."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Name in requests."""
    root: str | None = None
    """Folder or hub id that vLLM loaded it from."""
    max_model_len: int | None = None
    """Most tokens of prompt and reply together; None if the server does not report it."""


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
    # A proxy from the environment cannot reach the ports of this machine.
    own = parts.hostname in _LOOPBACK
    return AsyncOpenAI(
        base_url=server.url,
        api_key=os.environ.get(KEY_VARIABLE) or "none",
        timeout=server.timeout,
        max_retries=server.retries,
        http_client=DefaultAsyncHttpxClient(trust_env=not own),
    )


async def list_models(client: "AsyncOpenAI", server: Server) -> tuple[ServedModel, ...]:
    """The models of a server.

    Raises:
        TeacherError: nothing answers there, or no OpenAI-compatible server.
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
    """The requested model, or the only one of the server.

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
    """An error of the client library as one line for the user."""
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
    """The message in the body of an error response, if there is one."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return one_line(Exception(message)) if isinstance(message, str) else one_line(error)
