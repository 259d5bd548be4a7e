"""A server (see `servers`) whose children do what `latentcomp` is asked to, with small shards."""

import contextlib
import os
import sys
from pathlib import Path

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


def work(words: list[str]) -> None:
    os._exit(append(*words))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from servers import serve  # type: ignore[import-not-found]  # of this folder

    small_shards()
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for numbers
        assert append(*sys.argv[1:]) == 0, "once here, so that no child has to import anything"
    serve(work)
