"""The command `latentcomp import`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import stdout_console


def import_corpus(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="squad, timeqa, longmemeval, fact-consolidation, babilong or ruler.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As it was published.")],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; must not hold anything.")],
    documents: Annotated[
        int | None, typer.Option(min=1, help="Only so many, the first ones. [default: all]")
    ] = None,
) -> None:
    """Make a corpus of a published set of questions that lies on this machine.

    Nothing is downloaded. What it makes is given to other commands with `--corpus`.
    Example: `latentcomp import squad dev-v1.1.json --out runs/squad --documents 100`
    """
    from ..common.errors import CorpusError
    from ..corpus.files import write_corpus
    from ..corpus.outside.formats import FORMATS, read_format

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out}: there is something already: give --out a new folder")
    read = read_format(source, file, documents)
    meta = {"source": source, "file": file.name, "file_sha256": read.sha256}
    written = write_corpus(out, read.documents, meta)
    questions = sum(len(document.questions) for document in written.documents)
    left_out = f"; {read.without:,} without an answer left out" if read.without else ""
    console = stdout_console()
    console.print(
        f"{out}: {len(written.documents):,} documents, {questions:,} questions, "
        f"sha256 {written.sha256[:12]}{left_out}"
    )
    console.print(
        f"next: `latentcomp evaluate --teacher-only --corpus {out} "
        f"--scorer {FORMATS[source].scorer} --teacher MODEL`"
    )
