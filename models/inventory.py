"""Which models are on this machine or can be fetched: for `latentcomp models list`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .cached import cached_folder, cached_names, how_to_get, origin_of
from .files import LAB_FOLDERS
from .sources import SOURCES


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that `--teacher` takes by name."""

    name: str
    quantised: str
    """Kind of quantisation of most of its numbers, or `no`."""
    licence: str
    size: int | None
    """Bytes of its files; None where it is not here."""
    where: str
    """Its folder, or the command that fetches it."""


def entries() -> Iterator[Entry]:
    """Models of the package, then those of the cache and those that can be fetched, by name."""
    for name, folder in LAB_FOLDERS.items():
        if folder.is_dir():
            yield Entry(name, "no", "Apache-2.0", _bytes(folder), str(folder))
    for name in sorted({*SOURCES, *cached_names()}):
        folder_or_none = cached_folder(name)
        if folder_or_none is None:
            source = SOURCES[name]
            yield Entry(name, source.quantised, source.licence, None, how_to_get(name))
            continue
        origin = origin_of(folder_or_none)
        yield Entry(
            name,
            str(origin.get("quantised") or "no"),
            str(origin.get("licence") or "not recorded"),
            _bytes(folder_or_none),
            str(folder_or_none),
        )


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
