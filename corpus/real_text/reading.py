"""Files of text, plain or gzipped, each read once; what cannot be read is counted and named."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from ...common.errors import CorpusError
from .entries import Gathered, Parsed, Source

Load = Callable[[], bytes]
Progress = Callable[[int, int], None]
"""Called with (files read, files in all)."""

MOST_BYTES: Final = 256 * 2**20
"""Bytes of one text: a damaged or hostile archive does not fill the memory."""


def no_progress(done: int, total: int) -> None:
    """For callers that show none."""


def gather(
    named: Sequence[tuple[str, Load]],
    parse: Callable[[str, str], Parsed],
    progress: Progress = no_progress,
    linked: int = 0,
) -> Gathered:
    """Read and parse files; those with the bytes of an earlier one are left out.

    Args:
        named: (name, function that reads the bytes), in the order in which they count.
        parse: sources of (name, text).
        progress: told after every file.
        linked: files left out before, because they are the same by a link.
    """
    sources: list[Source] = []
    files: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    seen: set[str] = set()
    undated = latin1 = 0
    for done, (name, load) in enumerate(named, start=1):
        try:
            data = load()
            text, plain = _text(data)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            unreadable[name] = " ".join(str(getattr(error, "strerror", "") or error).split())[:80]
            continue
        finally:
            progress(done, len(named))
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in seen:
            linked += 1
            continue
        seen.add(sha256)
        files[name] = sha256
        latin1 += not plain
        parsed = parse(name, text)
        sources.extend(parsed.sources)
        undated += parsed.undated
    return Gathered(tuple(sources), files, linked, undated, latin1, unreadable)


def _text(data: bytes) -> tuple[str, bool]:
    """A text and whether it is UTF-8; Latin-1, which reads any bytes, where it is not.

    Raises:
        OSError, EOFError, ValueError, zlib.error: damaged, or too large.
    """
    if data[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(data)) as file:
            data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES:,} bytes of text")
    if b"\0" in data:
        raise ValueError("it is no text: it has zero bytes")
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def named_files(path: Path, patterns: Iterable[str]) -> tuple[list[tuple[str, Load]], int]:
    """The file that was given, or those of a folder that fit a pattern; each real file once.

    Args:
        path: a file or a folder.
        patterns: globs below the folder.

    Returns:
        (name relative to the folder, function that reads it), in the order of names with real
        files before links to them; and how many are links to files that are listed.

    Raises:
        CorpusError: there is no such path, or it may not be read.
    """
    try:
        if path.is_file():
            return [(path.name, path.read_bytes)], 0
        if not path.is_dir():
            raise CorpusError(f"{path}: no such file or folder: check the path")
        matches = {each for pattern in patterns for each in path.glob(pattern) if each.is_file()}
        ordered = sorted((each.resolve() != each.absolute(), str(each)) for each in matches)
        real: dict[tuple[int, int], Path] = {}
        for _, name in ordered:
            state = Path(name).stat()
            real.setdefault((state.st_dev, state.st_ino), Path(name))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    listed = sorted(real.values())
    named = [(each.relative_to(path).as_posix(), each.read_bytes) for each in listed]
    return named, len(matches) - len(listed)
