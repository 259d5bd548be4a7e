"""From a path or an address to the place it names."""

import re
from pathlib import Path
from typing import Final

from ...common.errors import StoreError
from .local import LocalPlace
from .protocol import Place
from .remote import RemotePlace

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/")


def place_of(path: Path | str | Place) -> Place:
    """Open the place of a store by its path or address.

    Args:
        path: a folder, a `file://` address, or the address of an object store such as
            `s3://bucket/folder`, which needs the extra `remote`; a `Place` is returned as it is.

    Raises:
        StoreError: an address of an unknown kind, or the extra is not installed.
    """
    if isinstance(path, Path):
        if _ADDRESS.match(str(path)):
            raise StoreError(
                f"{path}: is an address made a path, which is a folder called "
                f"{path.parts[0]!r}: give it as a string"
            )
        return LocalPlace(path)
    if not isinstance(path, str):
        return path
    kind, separator, rest = path.partition("://")
    if not separator:
        return LocalPlace(Path(path))
    if kind == "file":
        return LocalPlace(Path(rest))
    return RemotePlace(path)
