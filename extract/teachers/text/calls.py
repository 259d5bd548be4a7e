"""Requests to the server and their replies, as serialisable records."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

THOUGHTS = "</think>"
"""End of the thoughts of a thinking model; its answer follows."""

STOPPED: Final = frozenset({"stop", "eos", "eos_token", "stop_sequence"})
"""Reasons of a reply that the model ended by itself, as servers call it."""
CUT: Final = "length"
"""Reason of a reply that `max_tokens` cut."""


class Message(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user"]
    content: str


class Call(BaseModel):
    """All parameters of a request; equal calls are the same call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Name under which the server knows the model."""
    messages: tuple[Message, ...] = ()
    """Of a chat; empty of a plain completion."""
    prompt: str | None = None
    """Of a plain completion: the whole text before the reply."""
    served: dict[str, str | int] = {}
    """What answered, as far as the server says (`ServedModel.settings`): behind one name, another
    model may come to stand."""
    max_tokens: int
    """Most tokens of the reply, in the tokens of the server's model."""
    temperature: float
    seed: int
    more: dict[str, Any]
    """Further fields of the request body, such as `chat_template_kwargs` of vLLM."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of the call in hex: its key in the cache."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def sampling(self) -> dict[str, Any]:
        """The parameters that all calls of a run share."""
        return self.model_dump(mode="json", exclude={"messages", "prompt", "max_tokens"})


class Reply(BaseModel):
    """Reply of the server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    """Generated text, without thoughts and outer white space."""
    finish_reason: str | None
    """One of `STOPPED`, or `CUT`; a reply that ended otherwise is none."""
    prompt_tokens: int | None
    """Counted by the server; None if it does not report them."""
    completion_tokens: int | None
    """The same for the generated text, thoughts included."""

    @property
    def complete(self) -> bool:
        """Whether the model ended by itself."""
        return self.finish_reason in STOPPED

    @property
    def usable(self) -> bool:
        """Whether it is a reply at all: complete, or cut by the limit that was asked for."""
        return self.complete or self.finish_reason == CUT


@dataclass(frozen=True, slots=True)
class Named:
    """A call with its name in error messages."""

    name: str
    """Such as `document 'test-7-000003'`."""
    call: Call


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    """Of a chat."""
    text: str | None = None
    """Of a plain completion."""
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


def parse_reply(body: str | bytes) -> Reply:
    """The reply in the body of a completion, of a chat or a plain one.

    The client library accepts any JSON as a completion, so the needed fields are checked here.

    Raises:
        ValueError: it is no completion, or holds no text; the message says what is wrong.
    """
    completion = _Completion.model_validate_json(body)
    if not completion.choices:
        raise ValueError("the reply has no choices")
    choice = completion.choices[0]
    text = choice.message.content if choice.message else choice.text
    if text is None:
        raise ValueError(f"the reply has no text (finish_reason {choice.finish_reason!r})")
    usage = completion.usage or _Usage()
    reply = Reply(
        text=_without_thoughts(text, choice.finish_reason),
        finish_reason=choice.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )
    if not reply.usable:
        raise ValueError(
            f"it ended with finish_reason {choice.finish_reason!r}, so it may be half a reply; "
            "the server's log or its filter says why"
        )
    return reply


def _without_thoughts(text: str, finish_reason: str | None) -> str:
    if text.lstrip().startswith("<think>") and THOUGHTS not in text:
        raise ValueError(
            f"the reply is unfinished thought (finish_reason {finish_reason!r}); "
            "switch thinking off or give more tokens"
        )
    return text.rpartition(THOUGHTS)[2].strip()
