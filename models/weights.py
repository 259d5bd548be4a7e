"""Which files of a model's folder are loaded, and what of its config decides a state.

transformers has an order of its own for the first; an identity must be of what it loads.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from ..common.errors import TeacherError
from .json_files import read_json

ONE_FILE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")

_SAYS_NOTHING: Final = {
    "_name_or_path",
    "_commit_hash",
    "architectures",
    "auto_map",
    "dtype",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
"""Entries of a config that decide no state, or that the identity has in a field of its own."""


def weight_files(name: str, folder: Path) -> tuple[Path, ...]:
    """The safetensors files that transformers loads from a folder, in name order.

    One file goes before an index, even where an index lies beside it: a stale one then names
    weights that are not loaded.

    Raises:
        TeacherError: a file is missing, leads out of the folder, or an adapter lies beside them.
    """
    _refuse_adapter(name, folder)
    names = _names(folder)
    for each in names:
        if not isinstance(each, str) or Path(each).is_absolute() or ".." in Path(each).parts:
            raise TeacherError(
                f"model {name!r}: {folder / INDEX} names {each!r}, which is no file of that "
                "folder; download the model again"
            )
    files = tuple(folder / each for each in names)
    for file in files or (folder / INDEX,):
        if not file.is_file():
            raise TeacherError(
                f"model {name!r}: {file} is missing; only safetensors weights are read, "
                "so download the model again or convert it"
            )
    return files


def config_sha256(config: dict[str, Any]) -> str:
    """Hash of what a config.json says about a model's states: everything but notes.

    Of the file as it stands, because every version of transformers completes it in its own way.
    """
    # Some configs hold Infinity, which the JSON of this project's own files may not.
    return hashlib.sha256(json.dumps(_decisive(config), sort_keys=True).encode()).hexdigest()


def _names(folder: Path) -> list[Any]:
    """Names of the files of weights, as they stand in config or index."""
    config = folder / "config.json"
    named = read_json(config).get("transformers_weights") if config.is_file() else None
    index = folder / (named if isinstance(named, str) and named.endswith(".json") else INDEX)
    if isinstance(named, str) and index.name != named:
        return [named]
    if not isinstance(named, str) and ((folder / ONE_FILE).is_file() or not index.is_file()):
        return [ONE_FILE]
    weight_map = read_json(index).get("weight_map", {})
    if not isinstance(weight_map, dict):
        raise TeacherError(f"{index}: `weight_map` is no object; download the model again")
    return sorted(set(weight_map.values()), key=str)


def _refuse_adapter(model: str, folder: Path) -> None:
    """Beside base weights transformers adds an adapter where peft is installed, and only there."""
    for name in ADAPTER_FILES:
        if (folder / name).is_file():
            raise TeacherError(
                f"model {model!r}: {folder / name} lies beside the weights, and whether "
                "an adapter is applied depends on the packages installed; merge it into the "
                "weights (peft: merge_and_unload, save_pretrained), or move it to another folder"
            )


def _decisive(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _decisive(item) for key, item in value.items() if key not in _SAYS_NOTHING}
    return [_decisive(item) for item in value] if isinstance(value, list) else value
