"""What can be known of a command line before torch is imported, which takes seconds."""

from pathlib import Path
from typing import Final

LARGE: Final = 64 * 2**20
"""A larger corpus is read once, later: reading it twice would take longer than torch does."""


def check_input(corpus: Path | None = None, *models: str | None) -> None:
    """Refuse a corpus that cannot be read, and names that can be no model.

    Args:
        corpus: folder or JSONL file, where one was given.
        models: names, folders or hub ids, where they were given.

    Raises:
        CorpusError, TeacherError: as the command would later.
    """
    from ..models.files import check_name

    for name in models:
        if name is not None:
            check_name(name)
    if corpus is not None:
        _check_corpus(corpus)


def check_held_out(path: Path) -> None:
    """Refuse a JSONL corpus that nothing can be measured on. Raises: CorpusError, as `evaluate`."""
    from ..evaluate.held_out import held_out

    if path.is_file() and path.stat().st_size < LARGE:
        held_out(path, "", 0, 0)


def _check_corpus(path: Path) -> None:
    from ..corpus.files import recorded_sha256
    from ..corpus.jsonl import check_jsonl

    if path.is_dir():
        recorded_sha256(path)
    elif not path.is_file() or path.stat().st_size < LARGE:
        check_jsonl(path)
