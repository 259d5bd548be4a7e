"""The command `latentcomp join`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import stdout_console

_PARTS = typer.Argument(metavar="CORPUS CORPUS...", help="Corpus folders or JSONL files.")


def join(
    parts: Annotated[list[Path], _PARTS],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; must not hold anything.")],
) -> None:
    """Make one corpus of several, to train on a mixture of them.

    The name of its folder or file goes before the ids of a part's documents. Example:
    `latentcomp join runs/debian-train runs/sotu-train --out runs/mixture`
    """
    from ..common.errors import CorpusError, UsageError
    from ..corpus.files import write_corpus
    from ..corpus.joined import joined

    if len(parts) < 2:
        raise UsageError(f"{parts[0]}: give two corpora or more; one needs no joining")
    named = {path.resolve().name.removesuffix(".jsonl"): path for path in parts}
    if len(named) < len(parts):
        names = [path.resolve().name.removesuffix(".jsonl") for path in parts]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(
            f"two of the corpora are called {twice}: rename one, as names go before the ids"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out}: there is something already: give --out a new folder")
    corpus = joined(named)
    written = write_corpus(out, corpus.documents, corpus.meta)
    questions = sum(len(document.questions) for document in written.documents)
    stdout_console().print(
        f"{out}: {len(written.documents):,} documents, {questions:,} questions of {len(named)} "
        f"corpora, sha256 {written.sha256[:12]}"
    )
