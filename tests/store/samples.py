"""Small stores to write, here or in a process that can be killed (`work`, for a `Server`)."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest, ModelIdentity
from latentcomp.store.write.writer import StoreWriter

HIDDEN = 8
BLOCKS = (19, 31, 43)
DAYS = (3, None, 4, 9)


def teacher(**changes: Any) -> ModelIdentity:
    fields: dict[str, Any] = {
        "name": "sample",
        "revision": None,
        "architecture": "Qwen3ForCausalLM",
        "blocks": 48,
        "hidden_size": HIDDEN,
        "weights_sha256": "a" * 64,
        "tokenizer_sha256": "b" * 64,
    }
    return ModelIdentity(**(fields | changes))


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "teacher": teacher(),
        "layers": tuple(LayerRecord(blocks_completed=b, post_norm=False) for b in BLOCKS),
        "dtype": "bfloat16",
        "codec": "raw",
        "chunk_tokens": 16,
        "shard_tokens": 64,
        "corpus_sha256": "c" * 64,
        "code_version": "0.1.0",
    }
    return Manifest(**(fields | changes))


def entry(name: str, tokens: int, seed: int) -> DocumentEntry:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 1000, tokens)
    chunk = np.sort(rng.integers(0, len(DAYS), tokens))
    return DocumentEntry(name, ids, chunk, DAYS, (f"{name}/q0",))


def entries(lengths: Sequence[int], seed: int = 0) -> list[DocumentEntry]:
    return [entry(f"d{i}", n, 100 * seed + i) for i, n in enumerate(lengths)]


def states(index: int, tokens: int, made: Manifest | None = None) -> torch.Tensor:
    made = made or manifest()
    generator = torch.Generator().manual_seed(index)
    shape = (tokens, len(made.layers), made.teacher.hidden_size)
    exact = torch.randn(shape, generator=generator) * torch.tensor([1.0, 5.0, 30.0])[None, :, None]
    return exact.to(getattr(torch, made.dtype))


LENGTHS = (5, 70, 64, 1, 33, 150, 7, 40)


def write(
    path: Path | str,
    lengths: Sequence[int] = LENGTHS,
    made: Manifest | None = None,
    stop_before: int | None = None,
    each: Callable[[], None] = lambda: None,
) -> list[DocumentEntry]:
    """Write, or go on with, the sample store of these document lengths."""
    made = made or manifest()
    documents = entries(lengths)
    with StoreWriter(path, made, documents) as writer:
        for index in writer.pending():
            if index == stop_before:
                break
            each()
            writer.write(index, states(index, lengths[index], made))
    return documents


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def crash_at(point: int) -> None:
    """Let this process die by SIGKILL just before its `point`-th change to the disk."""
    count = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return wrapper

    for owner, name in ((os, "fsync"), (os, "writev"), (Path, "replace"), (os, "pwrite")):
        setattr(owner, name, dying(getattr(owner, name)))
    for owner, name in ((Path, "unlink"), (Path, "mkdir"), (os, "rmdir"), (os, "open")):
        setattr(owner, name, dying(getattr(owner, name)))


def work(folder: Path, point: int, times: int) -> None:
    """Write the sample documents so many times; die at that change to the disk unless it is 0."""
    if point:
        crash_at(point)
    write(folder, LENGTHS * times, each=lambda: time.sleep(0.004))


def prepare() -> None:
    """Imports pandas if there is one: not again in every child."""
    pa.Table.from_pylist([{"a": 1}])
