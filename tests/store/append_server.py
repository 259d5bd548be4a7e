"""`latentcomp store append` in processes that can be killed, with small shards."""

import os
from pathlib import Path

import torch

from latentcomp import cli
from latentcomp.store.format.schema import Manifest

SHARD_TOKENS = 256


def small_shards() -> None:
    """Let every manifest of this process ask for them: a few documents fill many."""
    set_shard_tokens(SHARD_TOKENS)


def set_shard_tokens(tokens: int) -> None:
    Manifest.model_fields["shard_tokens"].default = tokens
    Manifest.model_rebuild(force=True)


def append(run: str, more: str, teacher: str) -> int:
    """One `latentcomp store append`."""
    return cli.run(["store", "append", more, "--run", run, "--teacher", teacher])


def prepare(run: Path, more: Path, teacher: Path) -> None:
    """Once before the first child, so that none has to import anything."""
    torch.set_num_threads(1)
    small_shards()
    assert append(str(run), str(more), str(teacher)) == 0


def work(run: Path, more: Path, teacher: Path) -> None:
    """Append, and end with the exit code of the command."""
    os._exit(append(str(run), str(more), str(teacher)))
