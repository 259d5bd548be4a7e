"""Assumption 1: a text teacher answers on port 8000, and has the model."""

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
"""Seconds; the one token that is asked for may have to wait for others' work."""


def check_server(settings: Settings) -> Finding:
    """List what the server has, and let it write one token."""
    return asyncio.run(_look(settings))


async def _look(settings: Settings) -> Finding:
    server = Server(url=settings.teacher_url, timeout=_TIMEOUT, retries=0)
    try:
        async with connect(server) as client:
            served = await list_models(client, server)
            names = [model.id for model in served]
            if not served:
                return Finding(
                    status="failed",
                    found=f"{server.url} answers and serves no model",
                    next_step="start it with a model: `latentcomp teacher serve`",
                )
            wanted = settings.served_model or served[0].id
            model = choose_model(served, wanted, server.url)
            problem = await _write_a_token(client, model)
    except LatentcompError as error:
        found, _, step = str(error).partition("; ")
        return Finding(status="failed", found=found, next_step=step or None)
    details = {"url": server.url, "models": [one.model_dump() for one in served]}
    if problem:
        return Finding(
            status="failed",
            found=f"{server.url} lists {', '.join(names)}, but {model.id} does not chat: {problem}",
            next_step="serve an instruction-tuned model, one with a chat template",
            details=details,
        )
    return Finding(
        status="ok", found=f"{server.url} serves {', '.join(names)}; it answers", details=details
    )


async def _write_a_token(client: "AsyncOpenAI", model: ServedModel) -> str | None:
    """What is wrong with its chat; None if nothing is."""
    from openai import OpenAIError

    try:
        answer = await client.chat.completions.with_raw_response.create(
            model=model.id, messages=[{"role": "user", "content": "Say yes."}], max_tokens=1
        )
        parse_reply(answer.content)
    except (OpenAIError, ValueError) as error:
        # A thought of one token is unfinished, and shows all the same that the model writes.
        return None if "unfinished thought" in str(error) else one_line(error)
    return None
