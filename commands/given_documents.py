"""Documents as `compress` and `ask` take them: a text, a JSONL file or a corpus folder."""

from dataclasses import dataclass
from pathlib import Path

from ..common.errors import CorpusError, UsageError
from ..corpus.files import read_corpus
from ..corpus.generators import UNRECORDED
from ..corpus.records import Chunk, Document


@dataclass(frozen=True, slots=True)
class GivenDocuments:
    """What is to be read, and whether a generator made it."""

    documents: tuple[Document, ...]
    generator: int | None
    """Its version, by the record of the corpus; None of other documents."""


def given_documents(file: Path) -> GivenDocuments:
    """A corpus, or a text as a document of one chunk. Raises: CorpusError, UsageError."""
    if file.is_dir() or file.suffix == ".jsonl":
        corpus = read_corpus(file)
        version = corpus.meta.get("generator", UNRECORDED if "preset" in corpus.meta else None)
        return GivenDocuments(corpus.documents, version if isinstance(version, int) else None)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    if not text.strip():
        raise UsageError(f"{file}: there is no text in it")
    return GivenDocuments((Document(file.name, (Chunk(0, text),)),), None)
