"""What can be known of a command line before torch is imported, which takes seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..common.errors import CorpusError, LatentcompError, combined

if TYPE_CHECKING:
    from ..corpus.source import GeneratedCorpus

LARGE: Final = 64 * 2**20
"""A larger corpus is read once, later: reading it twice would take longer than torch does."""


def refuse_all(*checks: Callable[[], Any]) -> tuple[Any, ...]:
    """Run every check, so that no fault of a command line hides another.

    Returns:
        What each of them returned.

    Raises:
        LatentcompError: of the first check that fails; the others are its notes.
    """
    errors: list[LatentcompError] = []
    results = []
    for check in checks:
        try:
            results.append(check())
        except LatentcompError as error:
            errors.append(error)
    if errors:
        raise combined(errors)
    return tuple(results)


def check_input(corpus: Path | None = None, *models: str | None) -> None:
    """Refuse a corpus that cannot be read, and names that can be no model.

    Args:
        corpus: folder or JSONL file, where one was given.
        models: names, folders or hub ids, where they were given.

    Raises:
        CorpusError, TeacherError: as the command would later, every one of them.
    """
    from ..models.files import check_name

    names = [name for name in models if name is not None]
    refuse_all(
        lambda: None if corpus is None else _check_corpus(corpus),
        *(lambda name=name: check_name(name) for name in names),
    )


def check_held_out(path: Path, *, continuations: bool = False) -> None:
    """Refuse a JSONL corpus that nothing can be measured on. Raises: CorpusError, as `evaluate`."""
    from ..evaluate.held_out import held_out

    if path.is_file() and path.stat().st_size < LARGE:
        held_out(path, "", 0, 0, continuations=continuations)


def check_generated(preset: str, split: str, version: int | None) -> None:
    """Refuse documents that no generator makes.

    Args:
        preset: their size.
        split: their names and values.
        version: of the generator; None where only the checkpoint knows it.

    Raises:
        CorpusError: as `generate` does.
    """
    from ..corpus.generators import GENERATORS, generator

    faults = []
    for each in GENERATORS if version is None else (version,):
        try:
            generator(each).live(preset, split, 0, 1)
        except CorpusError as error:
            faults.append(error)
        else:
            return
    raise faults[0]


def _check_corpus(path: Path) -> None:
    from ..corpus.files import recorded_sha256
    from ..corpus.jsonl import check_jsonl

    if path.is_dir():
        recorded_sha256(path)
    elif not path.is_file() or path.stat().st_size < LARGE:
        check_jsonl(path)


def check_wanted(wanted: "Path | GeneratedCorpus") -> "Path | GeneratedCorpus":
    """The same documents, where they can be read or made. Raises: CorpusError."""
    if isinstance(wanted, Path):
        check_input(wanted)
    else:
        size = wanted.resolved
        check_generated(size["preset"], size["split"], size["generator"])
    return wanted


def check_run_corpus(wanted: "Path | GeneratedCorpus", folder: Path) -> None:
    """Refuse other documents than those that a run has already, where both are small.

    Args:
        wanted: what is to be read.
        folder: corpus of the run, which need not be there.

    Raises:
        CorpusError: as `extract`.
    """
    from ..corpus.files import is_corpus
    from ..corpus.source import run_corpus

    read = [folder, wanted] if isinstance(wanted, Path) else [folder]
    if is_corpus(folder) and sum(map(_bytes, read)) < LARGE:
        run_corpus(wanted, folder, write=False)


def _bytes(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
