"""Corpus folders: documents, chunks and questions as Parquet, `corpus.json` written last."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.atomic import (
    disk_errors,
    file_sha256,
    json_text,
    make_folder,
    write_json,
    write_parquet,
)
from ..common.errors import CorpusError
from ..common.parquet import parquet_bytes
from .jsonl import read_jsonl
from .records import ADDED, Chunk, Document, Question, content, plain
from .tables import TABLES, VERSIONS, version_for

CORPUS_FORMAT = "latentcomp-corpus"
CORPUS_VERSION = max(VERSIONS)
_SUMMARY = "corpus.json"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents with their provenance."""

    documents: tuple[Document, ...]
    meta: dict[str, Any]
    """As given to `write_corpus`; `{"source": "jsonl"}` for bring-your-own files."""
    sha256: str
    """Over the documents themselves, so that it is the same for JSONL and for Parquet."""


def corpus_sha256(documents: Iterable[Document]) -> str:
    """SHA-256 of the documents' content, in hex, whatever file they come from.

    A field that was added to the records later counts only where it is used, so documents that
    do not use it keep their hash.
    """
    digest = hashlib.sha256()
    for document in documents:
        line = json.dumps(content(document), sort_keys=True, ensure_ascii=False)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def write_corpus(folder: Path, documents: Iterable[Document], meta: Mapping[str, Any]) -> Corpus:
    """Write a corpus folder; its `corpus.json` comes last, so that its presence means complete.

    Args:
        folder: made if need be; the same documents give the same bytes.
        documents: at least one, with unique ids.
        meta: JSON values that say how the corpus was made (preset, split, seed and so on).

    Raises:
        CorpusError: no documents, or two with the same id.
        StoreError: the disk is full, the folder is read-only, and so on.
    """
    folder = Path(folder)
    corpus = _checked(tuple(documents), dict(meta), folder)
    make_folder(folder)
    with disk_errors(folder):
        (folder / _SUMMARY).unlink(missing_ok=True)
    rows, version = _rows(corpus.documents), version_for(corpus.documents)
    for name, schema in VERSIONS[version].items():
        write_parquet(folder / f"{name}.parquet", pa.Table.from_pylist(rows[name], schema=schema))
    write_json(folder / _SUMMARY, _summary(folder, corpus, rows, version))
    return corpus


def read_corpus(path: Path) -> Corpus:
    """Read a corpus folder written by `write_corpus`, or a `.jsonl` file.

    Raises:
        CorpusError: missing, incomplete, damaged or empty; names file (and line) and next step.
    """
    path = in_use(Path(path))
    if path.is_dir():
        return _read_folder(path)
    documents = read_jsonl(path)
    return Corpus(documents, {"source": "jsonl"}, corpus_sha256(documents))


def is_corpus(folder: Path) -> bool:
    """True if a corpus was written into `folder`, to its end."""
    return (folder / _SUMMARY).exists()


def next_of(folder: Path) -> Path:
    """Where a longer corpus is written that shall replace the one in `folder` (`corpus.swap`)."""
    return folder.with_name(f"{folder.name}.next")


def in_use(folder: Path) -> Path:
    """`folder`, or the corpus beside it whose move to it was cut short between two renames."""
    if folder.exists() or not is_corpus(next_of(folder)):
        return folder
    return next_of(folder)


def recorded_sha256(folder: Path) -> str:
    """The SHA-256 that a corpus folder gives for its documents, which are not read.

    Raises:
        CorpusError: there is no complete corpus, or its `corpus.json` is damaged.
    """
    return str(_read_summary(folder)["sha256"])


def recorded_meta(folder: Path) -> dict[str, Any]:
    """What a corpus folder says of how it was made. Raises: CorpusError, as `recorded_sha256`."""
    return dict(_read_summary(folder)["meta"])


def check_unclaimed(folder: Path, documents: Iterable[Document]) -> None:
    """Check that writing these documents into a folder without `corpus.json` replaces nothing.

    A killed writer leaves tables of the same documents, which may be written again; any other
    file is the user's.

    Raises:
        CorpusError: something else lies there; names it.
        StoreError: the folder cannot be read.
    """
    with disk_errors(folder):
        present = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
        present = {name: path for name, path in present.items() if not name.startswith(".")}
        if not present:
            return
        documents = tuple(documents)
        rows = _rows(documents)
        for name, schema in VERSIONS[version_for(documents)].items():
            path = present.pop(f"{name}.parquet", None)
            table = pa.Table.from_pylist(rows[name], schema=schema)
            if path is not None and path.read_bytes() != bytes(parquet_bytes([table])):
                present[path.name] = path
    if present:
        raise CorpusError(
            f"{folder} has no {_SUMMARY} but holds {min(present)!r}, which is not of this corpus: "
            "put its corpus.json back, or choose another folder"
        )


def _checked(documents: tuple[Document, ...], meta: dict[str, Any], folder: Path) -> Corpus:
    if not documents:
        raise CorpusError(f"{folder}: the corpus has no documents: ask for at least one")
    seen = set()
    for document in documents:
        if document.document_id in seen:
            raise CorpusError(f"{folder}: two documents are called {document.document_id!r}")
        seen.add(document.document_id)
        if not document.chunks:
            raise CorpusError(f"{folder}: document {document.document_id!r} has no chunks")
    return Corpus(documents, meta, corpus_sha256(documents))


def _rows(documents: tuple[Document, ...]) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for document in documents:
        key = {"document_id": document.document_id}
        counts = {"chunks": len(document.chunks), "questions": len(document.questions)}
        rows["documents"].append(key | counts | _of_document(document))
        rows["chunks"].extend(key | plain(chunk) for chunk in document.chunks)
        rows["questions"].extend(key | _row(question) for question in document.questions)
    return rows


def _of_document(document: Document) -> dict[str, Any]:
    return {"summary": document.summary, "beginning_of": document.beginning_of}


def _row(question: Question) -> dict[str, Any]:
    """A question as the table has it: structs instead of pairs and triples."""
    return plain(question) | {
        "spans": [
            {"chunk": chunk, "start": start, "end": end} for chunk, start, end in question.spans
        ],
        "mistakes": [{"mistake": mistake, "value": value} for mistake, value in question.mistakes],
    }


def _summary(
    folder: Path, corpus: Corpus, rows: Mapping[str, list[dict[str, Any]]], version: int
) -> dict[str, Any]:
    names = [f"{name}.parquet" for name in TABLES]
    summary = {
        "format": CORPUS_FORMAT,
        "version": version,
        "meta": corpus.meta,
        "sha256": corpus.sha256,
        "files": {name: file_sha256(folder / name) for name in names},
        **{name: len(table) for name, table in rows.items()},
    }
    return summary | {"checksum": _checksum(summary)}


def _checksum(summary: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in summary.items() if key != "checksum"}
    return hashlib.sha256(json_text(rest).encode()).hexdigest()


def _read_folder(folder: Path) -> Corpus:
    summary = _read_summary(folder)
    tables = {name: _read_table(folder, f"{name}.parquet", summary) for name in TABLES}
    documents = tuple(_documents(tables))
    if corpus_sha256(documents) != summary["sha256"]:
        raise CorpusError(
            f"{folder / 'corpus.json'}: sha256 is not that of the documents: write the corpus again"
        )
    return _checked(documents, summary["meta"], folder)


def _read_summary(folder: Path) -> dict[str, Any]:
    path = folder / _SUMMARY
    try:
        summary = json.loads(path.read_bytes())
        known = summary["format"] == CORPUS_FORMAT and summary["version"] in VERSIONS
        whole = not known or summary["checksum"] == _checksum(summary)
    except FileNotFoundError as error:
        raise CorpusError(
            f"{path}: missing, so this is no complete corpus: write it with `latentcomp corpus`"
        ) from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: damaged: write the corpus again") from error
    if not whole:
        raise CorpusError(f"{path}: it fails its checksum: write the corpus again")
    if not known:
        raise CorpusError(
            f"{path}: format {summary['format']!r} version {summary['version']!r} is not known "
            "here: read it with the latentcomp that wrote it, or write the corpus again"
        )
    return dict(summary)


def _read_table(folder: Path, name: str, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    path = folder / name
    try:
        if file_sha256(path) != summary["files"].get(name):
            raise CorpusError(
                f"{path}: not the file that corpus.json names: put it back from a copy, or write "
                "the corpus again"
            )
        schema = VERSIONS[summary["version"]][name.removesuffix(".parquet")]
        table = pq.read_table(path, schema=schema)
        columns = [column.to_pylist() for column in table.columns]
        return [
            dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)
        ]
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: missing: write the corpus again") from error
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path}: cannot be read ({error}): write the corpus again") from error


def _documents(tables: Mapping[str, list[dict[str, Any]]]) -> Iterator[Document]:
    chunks = defaultdict(list)
    for row in tables["chunks"]:
        owner = row.pop("document_id")
        chunks[owner].append(Chunk(**row))
    questions = defaultdict(list)
    for row in tables["questions"]:
        owner = row.pop("document_id")
        questions[owner].append(_question(row))
    for row in tables["documents"]:
        name = row["document_id"]
        yield Document(
            name,
            tuple(chunks[name]),
            tuple(questions[name]),
            row["summary"],
            row.get("beginning_of"),
        )


def _question(row: dict[str, Any]) -> Question:
    """A question from its row; columns that the version of the file lacks have their defaults."""
    known = ADDED[Question] | row
    return Question(
        **known
        | {
            "stale_answers": tuple(known["stale_answers"]),
            "evidence": tuple(known["evidence"]),
            "statements": tuple(known["statements"]),
            "spans": tuple((span["chunk"], span["start"], span["end"]) for span in known["spans"]),
            "mistakes": tuple((each["mistake"], each["value"]) for each in known["mistakes"]),
            "other_answers": tuple(known["other_answers"]),
        }
    )
