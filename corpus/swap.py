"""A run's corpus is replaced by a longer one; killed at any moment, one of the two is whole.

    corpus        what the run had
    corpus.next   what it shall have, written beside it
    corpus.last   what it had, until the new one stands in its place

The store decides: once its manifest names the hash of `corpus.next`, that is the corpus of the
run, and every command that writes finishes the swap. Until then it is a draft.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ..common.atomic import disk_errors, sync_folder
from ..common.errors import CorpusError
from ..common.lock import folder_mutex
from .files import Corpus, is_corpus, next_of, recorded_meta, recorded_sha256, write_corpus
from .records import Document

REPLACES: Final = "replaces"
"""Key of the new corpus's meta: hash of the one that it replaced, and of which it has all."""


def draft(
    folder: Path, documents: Iterable[Document], meta: Mapping[str, Any], replaced: str
) -> Corpus:
    """Write the longer corpus beside the one in `folder`; hold a lock, so that one does it.

    Args:
        folder: the `corpus` folder of the run; `settle` was called on it.
        documents: those that it has, then the new ones.
        meta: of the longer corpus.
        replaced: hash of the corpus that it has.

    Raises:
        StoreError: the disk is full and so on.
    """
    with disk_errors(next_of(folder)):
        shutil.rmtree(next_of(folder), ignore_errors=True)  # a draft that no store names
    return write_corpus(next_of(folder), documents, {**meta, REPLACES: replaced})


def settle(folder: Path, named: str | None) -> None:
    """Finish a swap that was decided, also one that a killed process began; else do nothing.

    Args:
        folder: the `corpus` folder of the run.
        named: hash in the manifest of the run's store; None where it has no store.

    Raises:
        CorpusError: a `corpus.json` is damaged.
        StoreError: the folder cannot be written.
    """
    following, last = next_of(folder), folder.with_name(f"{folder.name}.last")
    if not following.exists() and not last.exists():
        return
    with folder_mutex(folder.parent), disk_errors(folder):
        if _decided(folder, following, named):
            if folder.exists():
                _put_aside(folder, last)
            following.rename(folder)
            sync_folder(folder.parent)
        if last.exists() and _contains(folder, last):
            shutil.rmtree(last)


def _decided(folder: Path, following: Path, named: str | None) -> bool:
    """True if the corpus beside `folder` is the run's."""
    if not is_corpus(following):
        return False
    if named is not None and recorded_sha256(following) != named:
        return False
    return not folder.exists() or (named is not None and recorded_sha256(folder) != named)


def _put_aside(folder: Path, last: Path) -> None:
    if last.exists():
        if not _contains(folder, last):
            raise CorpusError(
                f"{last}: in the way, and {folder} does not have its documents: move it elsewhere "
                "and run again"
            )
        shutil.rmtree(last)
    folder.rename(last)
    sync_folder(folder.parent)


def _contains(folder: Path, last: Path) -> bool:
    """True if the corpus in `folder` says that it has all documents of the one in `last`."""
    if not is_corpus(folder) or not is_corpus(last):
        return False
    known = {recorded_sha256(folder), recorded_meta(folder).get(REPLACES)}
    return recorded_sha256(last) in known
