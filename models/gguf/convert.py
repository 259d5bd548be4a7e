"""A GGUF file as a model folder: weights, config, tokenizer, and a record of where it is from."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ...common import atomic
from ..cached import PROMPT_FILE
from ..prompt import PLAIN_QUESTION, PLAIN_SUMMARY
from ..weights import INDEX, ONE_FILE
from .llama import Expected, LlamaShape, shape_of, weights_of
from .reading import GgufFile, read_gguf
from .tokenizer import token_roles, tokenizer_config, tokenizer_of

FILE_BYTES: Final = 1 << 30
"""Bytes of one file of weights, which are in memory twice while it is written."""

Progress = Callable[[int, int], None]
"""Receives tensors written, and how many there are."""


def convert_gguf(
    path: Path,
    folder: Path,
    origin: Mapping[str, Any],
    prompt: Mapping[str, str] | None = None,
    progress: Progress = lambda done, of: None,
) -> None:
    """Write what a GGUF file holds as a folder that `locate_model` takes.

    Weights are float32, as the multiplied-out numbers of a quantised file need more digits than
    bfloat16 has.

    Args:
        path: of the file.
        folder: that exists and is empty. Its latentcomp.json is written last.
        origin: what is known of where the file is from.
        prompt: pieces of text around a document; plain ones by default.
        progress: of the weights.

    Raises:
        TeacherError: the file is damaged, or not of a kind that is converted; nothing is written
            then.
        StoreError: the disk is full, and so on.
    """
    file = read_gguf(path)
    shape = shape_of(file)
    tokenizer = tokenizer_of(file)
    settings = tokenizer_config(file, shape.context)
    _write_weights(file, shape, folder, progress)
    roles = {f"{role}_id": number for role, number in token_roles(file).items()}
    roles.pop("unk_token_id", None)  # no entry of a config
    atomic.write_json(folder / "config.json", shape.config() | roles)
    atomic.write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True))
    atomic.write_json(folder / "tokenizer_config.json", settings)
    plain = {
        "head": settings.get("bos_token", ""),
        "question": PLAIN_QUESTION,
        "summary": PLAIN_SUMMARY,
    }
    record = dict(origin) | {"quantised": file.quantised(), "tensors": _kinds(file)}
    atomic.write_json(folder / PROMPT_FILE, {"model": record, "prompt": dict(prompt or plain)})


def _write_weights(file: GgufFile, shape: LlamaShape, folder: Path, progress: Progress) -> None:
    from safetensors.numpy import save

    tensors = shape.tensors()
    parts = list(_parts(tensors))
    place: dict[str, str] = {}
    for number, names in enumerate(parts, start=1):
        name = ONE_FILE
        if len(parts) > 1:
            name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        weights = {}
        for each in names:
            weights[each] = weights_of(file, tensors[each])
            place[each] = name
            progress(len(place), len(tensors))
        atomic.write_bytes(folder / name, save(weights, metadata={"format": "pt"}))
    if len(parts) > 1:
        total = sum(_bytes(one) for one in tensors.values())
        atomic.write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": place})


def _parts(tensors: Mapping[str, Expected]) -> Iterator[list[str]]:
    """Names in their order, in lists of at most `FILE_BYTES`, or of one tensor that is larger."""
    names: list[str] = []
    size = 0
    for name, expected in tensors.items():
        if names and size + _bytes(expected) > FILE_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += _bytes(expected)
    yield names


def _bytes(expected: Expected) -> int:
    size = 4
    for length in expected.shape:
        size *= length
    return size


def _kinds(file: GgufFile) -> dict[str, int]:
    """How many tensors there are of each type."""
    kinds = [str(tensor.tensor_type.name) for tensor in file.tensors.values()]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
