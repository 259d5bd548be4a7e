"""The formats that are read. A new one is a file beside this one and a row here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...common.atomic import file_sha256
from ...common.errors import CorpusError
from ..real_text.kinds import TextFormat
from ..records import Document
from . import (
    babilong,
    debian_changelog,
    fact_consolidation,
    git_notes,
    longmemeval,
    ruler,
    sotu,
    squad,
    timeqa,
    tz_news,
)


@dataclass(frozen=True, slots=True)
class Format:
    """One published set of questions."""

    what: str
    """In a few words."""
    scorer: str
    """The nearest to what its authors use, of those there are (`evaluate.scores.SCORERS`)."""
    read: Callable[[Path], Iterator[Document]]


FORMATS: Final[dict[str, Format | TextFormat]] = {
    "squad": Format("SQuAD 1.1 or 2.0, JSON or Parquet", "squad", squad.read),
    "timeqa": Format("Time-Sensitive-QA, written by people", "squad", timeqa.read),
    "longmemeval": Format("LongMemEval, any of its files", "contains", longmemeval.read),
    "fact-consolidation": Format(
        "MemoryAgentBench, split Conflict_Resolution", "contains", fact_consolidation.read
    ),
    "babilong": Format("BABILong, one file of one task and length", "contains", babilong.read),
    "ruler": Format("RULER, a prepared task", "contains", ruler.read),
    "tz-news": tz_news.FORMAT,
    "debian-changelog": debian_changelog.FORMAT,
    "git-notes": git_notes.FORMAT,
    "sotu": sotu.FORMAT,
}
"""By name."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Documents of a published file."""

    documents: tuple[Document, ...]
    """Those with a question, or all of them."""
    without: int
    """Documents without a question that has an answer; left out unless they were wanted."""
    sha256: str
    """Of the file."""


def text_format(name: str) -> TextFormat | None:
    """The format of real text of this name; None where it is a published set of questions.

    Raises:
        CorpusError: there is no such format.
    """
    if name not in FORMATS:
        raise CorpusError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")
    kind = FORMATS[name]
    return kind if isinstance(kind, TextFormat) else None


def read_format(
    name: str, path: Path, most: int | None = None, *, keep_unasked: bool = False
) -> Imported:
    """Read a published file.

    Args:
        name: a key of `FORMATS`, of a published set of questions.
        path: the file.
        most: documents, the first ones; None for all.
        keep_unasked: whether documents without questions are kept and counted among them.

    Raises:
        CorpusError: there is no such format, the file cannot be read, or a record is not as the
            format has it (names it and what is missing).
    """
    if text_format(name) is not None:
        raise CorpusError(f"{name} is a format of real text: `corpus.real_text.make` reads it")
    kept: list[Document] = []
    without = 0
    for document in _documents(name, path):
        asked_about = bool(document.questions)
        without += not (asked_about and document.chunks)
        if document.chunks and (asked_about or keep_unasked):
            kept.append(document)
        if len(kept) == most:
            break
    if not kept:
        raise CorpusError(f"{path}: no question with an answer in it: is it a file of {name}?")
    return Imported(tuple(kept), without, file_sha256(path))


def _documents(name: str, path: Path) -> Iterator[Document]:
    kind = FORMATS[name]
    assert isinstance(kind, Format)
    done = 0
    try:
        for document in kind.read(path):
            yield document
            done += 1
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        what = " ".join(what.split())[:120]
        raise CorpusError(
            f"{path}: document {done + 1} is not as {name} has it ({what}): "
            f"give the file as it was published, or another format ({', '.join(FORMATS)})"
        ) from error
