"""Files of a model on this machine: location, hashes and identity; no weights are loaded."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from ..common.errors import TeacherError
from ..store.format.schema import ModelIdentity
from .cached import PROMPT_FILE as PROMPT_FILE
from .cached import cached_folder, cached_names, check_fetched, recorded_name
from .json_files import one_line as one_line
from .json_files import read_json as read_json
from .weights import config_sha256, weight_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_LAB = Path(__file__).resolve().parents[1] / "lab"
LAB_FOLDERS = {
    "lab": _LAB / "teacher",
    "lab-student": _LAB / "student",
    "lab3": _LAB / "history" / "teacher",
    "lab3-student": _LAB / "history" / "student",
}
HISTORY: Final = {
    "lab3": "58f46ddeb2bd8434aaff99b889eb08764639277610937d0e46acae3d56d9dbbc",
    "lab3-student": "7522b429ce38718434903dc692edf39656337572d2e418c34b9dc4d45bf5d50c",
}
"""The lab models of generator 3, in the repository alone -> SHA-256 of their weights, by which
records of their time, where they are named `lab`, are known even where they are not."""
_RENAMED: Final = {"lab4": "lab"}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder on this machine, before anything of it is loaded."""

    name: str
    """A name of `LAB_FOLDERS`, the hub id, or the name of a local folder or cached model."""
    folder: Path
    revision: str | None
    """Commit on the hub; None for a folder."""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The safetensors files that transformers loads, in name order.

        Raises:
            TeacherError: there are none, one that the index names is missing, or what would be
                loaded is not what they hold.
        """
        return weight_files(self.name, self.folder)

    @property
    def tokenizer(self) -> Path:
        """Its tokenizer.json.

        Raises:
            TeacherError: it is missing.
        """
        file = self.folder / "tokenizer.json"
        if not file.is_file():
            raise TeacherError(
                f"model {self.name!r}: {file} is missing; "
                "save the model's fast tokenizer there (tokenizer.save_pretrained)"
            )
        return file


def locate_model(name: str, *, revision: str | None = None) -> ModelFiles:
    """Find a model: a name of `LAB_FOLDERS` or of the cache, a local folder, or a hub id.

    A hub id is downloaded if need be; what `latentcomp models get` fetches is not.

    Raises:
        TeacherError: no such folder, it is not fetched yet, or the hub does not give it.
    """
    check_name(name)
    if name in LAB_FOLDERS:
        return _packaged(name)
    if (folder := local_folder(name)) is not None:
        return ModelFiles(name=recorded_name(folder), folder=folder, revision=None)
    return _download(name, revision)


def check_name(name: str) -> None:
    """Refuse what can be no model, without a look at the hub.

    Raises:
        TeacherError: neither a name of `LAB_FOLDERS`, nor of the cache, nor a folder, nor like a
            hub id; or a name of earlier, or a model that is not fetched yet.
    """
    check_fetched(name)
    path = _expanded(name)
    if is_local(name):
        return
    if name in _RENAMED:
        raise TeacherError(f"model {name!r} is {_RENAMED[name]!r} by now; give that name")
    if path.exists() or not _HUB_ID.fullmatch(name):
        raise TeacherError(
            f"model {name!r} is no folder; give a folder, a hub id, or one of "
            f"{', '.join([*LAB_FOLDERS, *cached_names()])}"
        )


def is_local(name: str) -> bool:
    """Whether a name is that of a lab model, of a cached one or of a folder."""
    return name in LAB_FOLDERS or local_folder(name) is not None


def local_folder(name: str) -> Path | None:
    """The folder behind the name of a cached model or behind a path; None if it is neither."""
    path = _expanded(name)
    return cached_folder(name) or (path.resolve() if name and path.is_dir() else None)


def identify_model(files: ModelFiles) -> ModelIdentity:
    """Identity of a model as stores and checkpoints record it; reads and hashes its files.

    The lab models have no `config_sha256`: they come with the package, and so does their config.

    `weights_sha256` is over the contents of the safetensors files in name order.

    Raises:
        TeacherError: a file is missing or damaged.
    """
    config = read_config(files)
    text = config.get_text_config()
    for file in files.weights:
        _check_safetensors(files, file)
    packaged = files.folder == LAB_FOLDERS.get(files.name)
    return ModelIdentity(
        name=files.name,
        revision=files.revision,
        architecture=(config.architectures or [type(config).__name__])[0],
        blocks=int(text.num_hidden_layers),
        hidden_size=int(text.hidden_size),
        weights_sha256=_sha256(*files.weights),
        tokenizer_sha256=_sha256(files.tokenizer),
        config_sha256=None if packaged else config_sha256(read_json(files.folder / "config.json")),
    )


def read_config(files: ModelFiles) -> "PretrainedConfig":
    """The model's config.json as transformers understands it.

    Raises:
        TeacherError: it is missing, damaged or of an architecture that transformers lacks.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(files.folder, trust_remote_code=False)
        return cast("PretrainedConfig", config)
    except Exception as error:  # configs validate themselves, each in its own way
        raise TeacherError(
            f"model {files.name!r}: {files.folder / 'config.json'} cannot be used "
            f"({one_line(error)}); give the folder of a transformers causal language model"
        ) from error


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~ of a user that does not exist
        return Path(name)


def _packaged(name: str) -> ModelFiles:
    folder = LAB_FOLDERS[name]
    if not (folder / "config.json").is_file():
        if name in HISTORY:
            raise TeacherError(
                f"the {name!r} model, of generator 3, is not installed: it does not come with the "
                "package; run latentcomp in a checkout of its repository, or take another model"
            )
        raise TeacherError(
            f"the {name!r} model is not in {folder}; "
            "install latentcomp again, or train the model with `make lab-models`"
        )
    return ModelFiles(name=name, folder=folder, revision=None)


def _download(name: str, revision: str | None) -> ModelFiles:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_HUB_FILES))
    except (OSError, ValueError) as error:  # what hub and network errors derive from
        raise TeacherError(
            f"model {name!r} is no folder and cannot be had from the hub "
            f"({one_line(error)}); check the name and the network, or give a local folder"
        ) from error
    return ModelFiles(name=name, folder=folder, revision=folder.name)


def _check_safetensors(files: ModelFiles, file: Path) -> None:
    """Raise if the header is no safetensors header or does not fit the length of the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        size = file.stat().st_size
        raise TeacherError(
            f"model {files.name!r}: {file} ({size:,} bytes) is truncated or damaged "
            f"({one_line(error)}); copy or download it again"
        ) from error


def _sha256(*paths: Path) -> str:
    """Hash of the contents of some files in a row, kept while none of them changes."""
    stats = [path.stat() for path in paths]
    return _hash_contents(
        paths, tuple((stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in stats)
    )


@lru_cache(maxsize=8)
def _hash_contents(paths: tuple[Path, ...], versions: tuple[tuple[int, int, int], ...]) -> str:
    del versions  # part of the cache key only
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
