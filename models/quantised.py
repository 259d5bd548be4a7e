"""A line for the readers of figures whose models are not the originals."""

from typing import Final

from ..store.format.schema import ModelIdentity
from .cached import given_name

QUANTISED: Final = "quantised weights"
"""How the line begins."""


def quantised_note(*models: ModelIdentity) -> str:
    """That some of the models are quantised, by their recorded names; empty where none is."""
    names = dict.fromkeys(model.name for model in models if given_name(model.name) != model.name)
    if not names:
        return ""
    return f"{QUANTISED}: figures are of {' and '.join(names)}, not of the original model"
