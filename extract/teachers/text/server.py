"""An OpenAI-compatible server: connection, list of models, and its errors as messages."""

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from ....common.errors import TeacherError, UsageError
from ....models.files import one_line
from .address import DEFAULT_URL

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._legacy_response import LegacyAPIResponse

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


class ServerGone(TeacherError):
    """Nothing listens at the address."""


class ServedModel(BaseModel):
    """One entry of `/v1/models`; further fields are ignored."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Name in requests."""
    root: str | None = None
    """Folder or hub id that vLLM loaded it from."""
    max_model_len: int | None = None
    """Most tokens of prompt and reply together; None if the server does not report it."""
    weights_sha256: str | None = None
    """Of the weights at `root`, where that is a folder of this machine; not of the server."""
    plain: bool | None = None
    """Whether it has no chat template and is asked through plain completions; None: not known."""

    @property
    def settings(self) -> dict[str, str | int]:
        """All that tells it from another model behind the same name."""
        given = {
            "root": self.root,
            "max_model_len": self.max_model_len,
            "weights_sha256": self.weights_sha256,
        }
        return {name: value for name, value in given.items() if value is not None}


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
        # Whether anything listens is known at once; a connection that is closed is tried again.
        answer = await _retried(client.with_options(max_retries=0), server)
        return tuple(_Models.model_validate_json(answer.content).data)
    except OpenAIError as error:
        raise refused(error, server) from error
    except ValidationError as error:
        raise TeacherError(
            f"{server.url}/models does not answer as an OpenAI-compatible server does; {START}"
        ) from error


async def _retried(client: "AsyncOpenAI", server: Server) -> "LegacyAPIResponse[Any]":
    from openai import APIConnectionError

    attempt = 0
    while True:
        try:
            return await client.models.with_raw_response.list()
        except APIConnectionError as error:
            if nothing_listens(error) or attempt >= min(server.retries, 3):
                raise
        await asyncio.sleep(0.1 * 2**attempt)
        attempt += 1


def nothing_listens(error: Exception) -> bool:
    """Whether a connection was refused, rather than closed or broken after it stood."""
    from openai import APITimeoutError

    refused = ("ConnectError", "UnsupportedProtocol", "ProxyError")
    return not isinstance(error, APITimeoutError) and type(error.__cause__).__name__ in refused


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
        case APIConnectionError() if not nothing_listens(error):
            return TeacherError(
                f"{server.url} closed the connection {server.retries + 1} times "
                f"({connection_fault(error)}); see the server's log, or give more --retries"
            )
        case APIConnectionError():
            why = one_line(error.__cause__ or error)
            return ServerGone(f"no server answers at {server.url} ({why}); {START}")
        case APIStatusError(status_code=401 | 403):
            what = f"{server.url} refuses the key (HTTP {error.status_code})"
            return TeacherError(f"{what}; set {KEY_VARIABLE} to one that it accepts")
        case APIStatusError():
            what = f"{server.url} answered HTTP {error.status_code} ({status_reason(error)})"
            return TeacherError(f"{what}; check --teacher-url and --model")
        case _:
            return TeacherError(f"{server.url}: {one_line(error)}")


def connection_fault(error: Exception) -> str:
    """What happened to a connection, with the kind of the fault."""
    cause = error.__cause__ or error
    kind, text = type(cause).__name__, one_line(cause)
    return text if text == kind else f"{kind}: {text}"


def status_reason(error: Exception) -> str:
    """The message in the body of an error response, if there is one."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return one_line(Exception(message)) if isinstance(message, str) else one_line(error)
