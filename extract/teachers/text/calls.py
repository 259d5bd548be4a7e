"""One question to the server and its reply, as records that go to disk and back."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

THOUGHTS = "</think>"
"""A thinking model's text up to here is not its answer."""


class Message(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user"]
    content: str


class Call(BaseModel):
    """Everything that the reply depends on; two equal calls are one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Name under which the server knows the model."""
    messages: tuple[Message, ...]
    max_tokens: int
    """Most tokens of the reply, in the tokens of the server's model."""
    temperature: float
    seed: int
    more: dict[str, Any]
    """Further fields of the request body, such as `chat_template_kwargs` of vLLM."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of the call in hex: its address in the cache."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def sampling(self) -> dict[str, Any]:
        """The call without the conversation: what it shares with the others of its kind."""
        return self.model_dump(mode="json", exclude={"messages", "max_tokens"})


class Reply(BaseModel):
    """What the server answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    """What was written, without thoughts and outer white space."""
    finish_reason: str | None
    """`stop` where the model ended by itself, `length` where `max_tokens` cut it."""
    prompt_tokens: int | None
    """As the server counted; None where it does not say."""
    completion_tokens: int | None
    """The same for what was written, thoughts included."""


@dataclass(frozen=True, slots=True)
class Named:
    """A call with the name that messages about it use."""

    name: str
    """Such as `document 'test-7-000003'`."""
    call: Call


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


def parse_reply(body: str | bytes) -> Reply:
    """The reply in the body of a chat completion.

    The client library takes any JSON for a completion, so what is needed is checked here.

    Raises:
        ValueError: it is no completion, or holds no text; the message says what is wrong.
    """
    completion = _Completion.model_validate_json(body)
    if not completion.choices:
        raise ValueError("the reply has no choices")
    choice = completion.choices[0]
    text = choice.message.content
    if text is None:
        raise ValueError(f"the reply has no text (finish_reason {choice.finish_reason!r})")
    usage = completion.usage or _Usage()
    return Reply(
        text=_without_thoughts(text, choice.finish_reason),
        finish_reason=choice.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


def _without_thoughts(text: str, finish_reason: str | None) -> str:
    if text.lstrip().startswith("<think>") and THOUGHTS not in text:
        raise ValueError(
            f"the reply is unfinished thought (finish_reason {finish_reason!r}); "
            "switch thinking off or give more tokens"
        )
    return text.rpartition(THOUGHTS)[2].strip()
