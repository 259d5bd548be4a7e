"""A hidden folder in which something is made before it gets its name."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import atomic


@contextlib.contextmanager
def working_folder(root: Path, name: str) -> Iterator[Path]:
    """A new folder within `root`, removed in the end; so is what killed processes left of `name`.

    Args:
        root: folder that is there; its mutex is held.
        name: of what is made.

    Raises:
        StoreError: it cannot be written.
    """
    start = f".{name}."
    for left in root.glob(f"{start}*{atomic.PARTIAL_SUFFIX}"):
        shutil.rmtree(left, ignore_errors=True)
    with atomic.disk_errors(root):
        work = Path(tempfile.mkdtemp(atomic.PARTIAL_SUFFIX, start, root))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
