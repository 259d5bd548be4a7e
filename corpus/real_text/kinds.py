"""What a format of real text is: where it lies, what brings it, what may be asked about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...common.errors import CorpusError
from .ask import Notes
from .entries import Gathered
from .reading import Progress

DEBIAN_DOCUMENTS: Final = "/usr/share/doc"


@dataclass(frozen=True, slots=True)
class TextFormat:
    """One kind of real text that a package brings."""

    what: str
    """In a few words."""
    scorer: str
    """For its questions, a row of `evaluate.scores.SCORERS`."""
    licence: str
    usual: tuple[str, ...]
    """Where it lies once its package is installed; the first that is there is read."""
    bring: str
    """The command that brings it."""
    notes: Notes | None
    """What is asked for; None where the text answers nothing, so that all documents are kept."""
    collect: Callable[[Path, Progress], Gathered]
    characters: tuple[int, int]
    """Of a document, at least and at most: about 256 to 1,024 tokens of a vocabulary of 49
    thousand, of which one takes 2.5 characters in a changelog and 5 in a speech."""


def usual_place(name: str, kind: TextFormat) -> Path:
    """Where the text of a format lies if its package is installed.

    Raises:
        CorpusError: nowhere; says which package brings it.
    """
    for place in map(Path, kind.usual):
        if place.exists():
            return place
    raise CorpusError(
        f"{name}: {' and '.join(kind.usual)} not there: {how_to_get(kind)}, or give the file or "
        "folder"
    )


def how_to_get(kind: TextFormat) -> str:
    """What to do where a text is not installed, as the end of a sentence."""
    text = f"get it with `{kind.bring}`"
    if any(place.startswith(DEBIAN_DOCUMENTS) for place in kind.usual):
        text += f" (slim images leave {DEBIAN_DOCUMENTS} out: path-exclude in /etc/dpkg/dpkg.cfg.d)"
    return text
