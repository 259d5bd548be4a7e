"""Concurrent calls to one server: cached, bounded, retried; replies survive an interruption."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ....common.errors import TeacherError
from ....models.files import one_line
from .cache import ReplyCache
from .calls import Call, Named, Reply, parse_reply
from .server import (
    ServedModel,
    Server,
    choose_model,
    connect,
    connection_fault,
    list_models,
    nothing_listens,
    refused,
    status_reason,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OnReply = Callable[[Reply], None]
"""Called with every reply of the server."""

MAX_FAILURES: Final = 10
"""Failed calls in a row after which the remaining ones are not made."""

_LONGEST_WAIT: Final = 120.0
"""Most seconds of a Retry-After header that the client library accepts."""

_BAD_REQUEST: Final = 400
_WHOLE_RUN = frozenset({401, 403, 404})
"""Statuses that fail the whole run: a wrong key, URL or model."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Distinct calls, split by whether the cache has their reply."""

    known: dict[str, Reply]
    """Replies of earlier runs, by the key of the call."""
    missing: tuple[Named, ...]
    """Calls without a cached reply, in order."""


@dataclass(slots=True)
class _Outcomes:
    """State that the workers share."""

    failures: list[str] = field(default_factory=list)
    passing: int = 0
    """Failures that may not come again."""
    in_a_row: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)


class _CallFailed(Exception):
    """One call failed; others may succeed."""

    def __init__(self, reason: str, *, passing: bool = True) -> None:
        super().__init__(reason)
        self.passing = passing
        """Whether the same call may succeed later."""


class NoChatTemplate(TeacherError):
    """The served model cannot be asked by a chat."""


def find_model(server: Server, wanted: str | None) -> ServedModel:
    """Fetch the list of models of a server and choose one.

    Raises:
        TeacherError: nothing answers, or the model is not there.
        UsageError: `server.url` is not an http(s) address.
    """

    async def find() -> ServedModel:
        async with connect(server) as client:
            return choose_model(await list_models(client, server), wanted, server.url)

    return asyncio.run(find())


def look_up(cache: ReplyCache, calls: Sequence[Named]) -> LookedUp:
    """Split calls by whether the cache has their reply.

    Raises:
        StoreError: the cache cannot be read.
    """
    known: dict[str, Reply] = {}
    missing: dict[str, Named] = {}
    for named in calls:
        key = named.call.key
        if key in known or key in missing:
            continue
        reply = cache.get(named.call)
        if reply is None:
            missing[key] = named
        else:
            known[key] = reply
    return LookedUp(known, tuple(missing.values()))


def ask(
    server: Server, cache: ReplyCache, calls: Sequence[Named], on_reply: OnReply = lambda _: None
) -> dict[str, Reply]:
    """Make every call; returns the replies by the key of the call.

    A reply is on disk before its worker makes the next call, so after a kill, an error or
    Ctrl-C all replies are in the cache. Without calls no request is made.

    Raises:
        TeacherError: the server is down or refuses everything, or some calls have no reply; the
            message has the count, the first reason and the next step.
        StoreError: the cache cannot be written.
    """
    if not calls:
        return {}
    outcomes = asyncio.run(_ask(server, cache, calls, on_reply))
    _check_complete(outcomes, len(calls), server)
    return outcomes.replies


async def _ask(
    server: Server, cache: ReplyCache, missing: Sequence[Named], on_reply: OnReply
) -> _Outcomes:
    outcomes = _Outcomes()
    waiting = iter(missing)
    async with connect(server) as client:

        async def work() -> None:
            for named in waiting:
                if outcomes.in_a_row >= MAX_FAILURES:
                    return
                await _one(client, server, named, cache, outcomes, on_reply)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(server.concurrency, len(missing))):
                    group.create_task(work())
        except ExceptionGroup as several:
            # A fatal error may hit several workers at once; only the first is reported.
            raise next(_leaves(several)) from None
    return outcomes


async def _one(
    client: "AsyncOpenAI",
    server: Server,
    named: Named,
    cache: ReplyCache,
    outcomes: _Outcomes,
    on_reply: OnReply,
) -> None:
    try:
        reply = await _request(client, server, named.call)
    except _CallFailed as failure:
        outcomes.failures.append(f"{named.name}: {failure}")
        outcomes.passing += failure.passing
        outcomes.in_a_row += 1
        return
    outcomes.in_a_row = 0
    cache.put(named.call, reply)
    outcomes.replies[named.call.key] = reply
    on_reply(reply)


async def _request(client: "AsyncOpenAI", server: Server, call: Call) -> Reply:
    """One call, retried by the client library.

    Raises:
        TeacherError: every other call would fail too.
        _CallFailed: this one has no reply.
    """
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    try:
        # The library's timeout is between two bytes, not for the whole call: a server that sends
        # a byte now and then would never reach it.
        async with asyncio.timeout(_max_seconds(server)):
            return parse_reply(await _post(client, call))
    except (APITimeoutError, TimeoutError) as error:
        attempts = server.retries + 1
        raise _CallFailed(f"no answer within {server.timeout:g} s, {attempts} times") from error
    except APIConnectionError as error:
        if nothing_listens(error):
            raise refused(error, server) from error
        times = f"{server.retries + 1} times" if server.retries else "once"
        raise _CallFailed(
            f"the connection was closed without a reply, {times} ({connection_fault(error)})"
        ) from error
    except APIStatusError as error:
        if error.status_code in _WHOLE_RUN:
            raise refused(error, server) from error
        reason = status_reason(error)
        if error.status_code == _BAD_REQUEST and not call.prompt and "chat template" in reason:
            raise NoChatTemplate(
                f"{server.url}: {call.model!r} has no chat template ({reason}); give --api "
                "completions"
            ) from error
        passing = error.status_code not in (_BAD_REQUEST, 413, 422)
        raise _CallFailed(f"HTTP {error.status_code} ({reason})", passing=passing) from error
    except ValueError as error:  # pydantic's ValidationError is one
        raise _CallFailed(f"no usable reply ({one_line(error)})") from error


async def _post(client: "AsyncOpenAI", call: Call) -> bytes:
    """The body of the server's answer, retried by the client library."""
    if call.prompt is not None:
        plain = await client.completions.with_raw_response.create(
            model=call.model,
            prompt=call.prompt,
            max_tokens=call.max_tokens,
            temperature=call.temperature,
            seed=call.seed,
            extra_body=call.more,
        )
        return plain.content
    chat = await client.chat.completions.with_raw_response.create(
        model=call.model,
        messages=[{"role": turn.role, "content": turn.content} for turn in call.messages],  # type: ignore[misc]
        max_tokens=call.max_tokens,
        temperature=call.temperature,
        seed=call.seed,
        extra_body=call.more,
    )
    return chat.content


def _max_seconds(server: Server) -> float:
    """Upper bound of the duration of a call with all its attempts and waits."""
    return (server.retries + 1) * server.timeout + server.retries * _LONGEST_WAIT


def _check_complete(outcomes: _Outcomes, missing: int, server: Server) -> None:
    if not outcomes.failures:
        return
    got = len(outcomes.replies)
    gave_up = outcomes.in_a_row >= MAX_FAILURES
    stopped = f" (given up after {MAX_FAILURES} in a row)" if gave_up else ""
    kept = f"the {got} replies that came are kept"
    then = "run the same command again to ask for the rest"
    if not outcomes.passing:
        then = (
            "asking again would give the same; leave out or shorten what is refused, or give "
            "another --body, --api or --model"
        )
    raise TeacherError(
        f"{server.url}: {len(outcomes.failures)} of {missing} requests failed{stopped}; "
        f"first, {outcomes.failures[0]}; {kept}, {then}"
    )


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
