"""Which model answers behind an address, as far as it can be known, and how it is asked."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ....common.errors import TeacherError
from ....models.files import ModelFiles, identify_model, locate_model
from ....models.loading import load_tokenizer
from ....models.prompt import PLAIN_QUESTION, PLAIN_SUMMARY, PromptTemplate, read_prompt
from .cache import ReplyCache
from .client import find_model
from .server import ServedModel, Server, ServerGone

UNKNOWN: Final = PromptTemplate("", PLAIN_QUESTION, PLAIN_SUMMARY)
"""Of a model whose files are not on this machine; its server puts the first token there."""


@dataclass(frozen=True, slots=True)
class Served:
    """The model that answers."""

    model: ServedModel
    template: PromptTemplate
    """Its own prompt, for plain completions."""
    gone: TeacherError | None = None
    """Why its server cannot be asked now; None where it can."""

    def as_plain(self) -> "Served":
        """The same, now known to have no chat template."""
        return dataclasses.replace(self, model=self.model.model_copy(update={"plain": True}))


def served_now(server: Server, wanted: str | None, cache: ReplyCache) -> Served:
    """The model of a server; where nothing listens, the one that it had when replies were kept.

    Args:
        server: its address.
        wanted: name of the model; the only one there is when None.
        cache: of the replies.

    Raises:
        TeacherError: no server and no earlier run, or it lacks the model.
        UsageError: the address is none.
    """
    known = cache.served(server.url)
    try:
        model = _identified(find_model(server, wanted))
    except ServerGone as error:
        if known is None or wanted not in (None, known.id):
            raise
        return Served(known, _template(known), error)
    if model.plain is None and known is not None and known.settings == model.settings:
        model = model.model_copy(update={"plain": known.plain})
    return Served(model, _template(model))


def _files(model: ServedModel) -> ModelFiles | None:
    """Its files, where the server loaded it from a folder of this machine."""
    if model.root is None or not Path(model.root).is_dir():
        return None
    return locate_model(model.root)


def _identified(model: ServedModel) -> ServedModel:
    files = _files(model)
    if files is None:
        return model
    return model.model_copy(
        update={
            "weights_sha256": identify_model(files).weights_sha256,
            "plain": not load_tokenizer(files).chat_template,
        }
    )


def _template(model: ServedModel) -> PromptTemplate:
    files = _files(model)
    return UNKNOWN if files is None else read_prompt(files, load_tokenizer(files))
