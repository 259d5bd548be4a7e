"""Check 1: a text teacher answers at the URL and has the model."""

import asyncio
from typing import TYPE_CHECKING

from ..common.errors import LatentcompError
from ..extract.teachers.text.calls import parse_reply
from ..extract.teachers.text.server import ServedModel, Server, choose_model, connect, list_models
from ..models.files import one_line
from .findings import Finding
from .settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_TIMEOUT = 20.0
"""Seconds; the requested token may wait behind other requests."""


def check_server(settings: Settings) -> Finding:
    """List the models of the server and generate one token."""
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> Finding:
    server = Server(url=settings.teacher_url, timeout=_TIMEOUT, retries=0)
    try:
        async with connect(server) as client:
            served = await list_models(client, server)
            names = [model.id for model in served]
            if not served:
                return Finding(
                    status="failed",
                    observed=f"{server.url} answers and serves no model",
                    next_step="start it with a model: `latentcomp teacher serve`",
                )
            wanted = settings.served_model or served[0].id
            model = choose_model(served, wanted, server.url)
            problem = await _generate_token(client, model)
    except LatentcompError as error:
        message, _, step = str(error).partition("; ")
        return Finding(status="failed", observed=message, next_step=step or None)
    details = {"url": server.url, "models": [one.model_dump() for one in served]}
    if problem:
        return Finding(
            status="failed",
            observed=f"{server.url} lists {', '.join(names)}, but {model.id} does not chat: "
            f"{problem}",
            next_step="serve an instruction-tuned model, one with a chat template",
            details=details,
        )
    return Finding(
        status="ok", observed=f"{server.url} serves {', '.join(names)}; it answers", details=details
    )


async def _generate_token(client: "AsyncOpenAI", model: ServedModel) -> str | None:
    """The error of a chat completion; None if it works."""
    from openai import OpenAIError

    try:
        answer = await client.chat.completions.with_raw_response.create(
            model=model.id, messages=[{"role": "user", "content": "Say yes."}], max_tokens=1
        )
        parse_reply(answer.content)
    except (OpenAIError, ValueError) as error:
        # One token of a thinking model is an unfinished thought, and shows that it generates.
        return None if "unfinished thought" in str(error) else one_line(error)
    return None
