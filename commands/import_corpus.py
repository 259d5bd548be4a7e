"""The command `latentcomp import`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common.terminal import stdout_console
from ..corpus.outside.names import FormatName

if TYPE_CHECKING:
    from ..corpus.files import Corpus
    from ..corpus.real_text.kinds import TextFormat
    from ..corpus.real_text.make import Made, Wanted
    from ..corpus.real_text.reading import Progress
    from ..corpus.records import Document

_Continuation = Annotated[
    int | None,
    typer.Option(
        min=20,
        help="Take so many characters off the end of each document, to be expected from the rest.",
    ),
]
_Characters = Annotated[
    str | None,
    typer.Option(
        metavar="LOW:HIGH",
        help="Of real text: length of a document. [default: 256 to 1,024 tokens, about]",
    ),
]


def import_corpus(
    source: Annotated[
        FormatName,
        typer.Argument(
            metavar="FORMAT",
            help="Questions: squad, timeqa, longmemeval, fact-consolidation, babilong, ruler. "
            "Real text: tz-news, debian-changelog, git-notes, sotu.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; must not hold anything.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="As it was published; of real text a file or folder. "
            "[default: of real text, where its package puts it]",
            show_default=False,
        ),
    ] = None,
    documents: Annotated[
        int | None, typer.Option(min=1, help="Only so many, the first ones. [default: all]")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Of real text: train, validation, test or all. [default: all]"),
    ] = None,
    characters: _Characters = None,
    keep_unasked: Annotated[
        bool, typer.Option("--keep-unasked", help="Keep documents without questions too.")
    ] = False,
    continuation: _Continuation = None,
) -> None:
    """Make a corpus of questions or real text that lies on this machine.

    Nothing is downloaded. What it makes is given to other commands with `--corpus`.
    Example: `latentcomp import tz-news --split train --out runs/tz-train`
    """
    from ..common.errors import CorpusError, UsageError
    from ..corpus.outside.formats import text_format

    kind = text_format(source)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out}: there is something already: give --out a new folder")
    if kind is not None:
        wanted = _wanted(split, characters, documents, keep_unasked or continuation is not None)
        _real_text(source, kind, file, out, wanted, continuation)
        return
    for name, given in (("--split", split), ("--characters", characters)):
        if given is not None:
            raise UsageError(f"{name} {given} is for real text: leave it out with {source}")
    if file is None:
        raise UsageError(f"{source} needs its FILE, as it was published")
    _published(source, file, out, documents, keep_unasked, continuation)


def _published(
    source: str,
    file: Path,
    out: Path,
    documents: int | None,
    keep_unasked: bool,
    continuation: int | None,
) -> None:
    from ..corpus.files import write_corpus
    from ..corpus.outside.formats import read_format

    keeps = keep_unasked or continuation is not None
    read = read_format(source, file, documents, keep_unasked=keeps)
    meta = {"source": source, "file": file.name, "file_sha256": read.sha256}
    made, cut = _continued(read.documents, continuation)
    written = write_corpus(out, made, meta | _meta(continuation))
    fate = "kept" if keeps else "left out"
    note = f"; {read.without:,} without an answer {fate}" if read.without else ""
    _finish(source, out, written, note + cut)


def _wanted(
    split: str | None, characters: str | None, documents: int | None, keep_unasked: bool
) -> "Wanted":
    from ..common.errors import UsageError
    from ..corpus.real_text.make import ALL, Wanted

    length = None
    if characters is not None:
        try:
            low, high = map(int, characters.split(":"))
        except ValueError:
            raise UsageError(
                f"--characters {characters!r}: give two numbers, such as 1000:4500"
            ) from None
        length = (low, high)
    wanted = Wanted(split or ALL, length, documents, keep_unasked)
    wanted.check()
    return wanted


def _real_text(
    source: str,
    kind: "TextFormat",
    file: Path | None,
    out: Path,
    wanted: "Wanted",
    continuation: int | None,
) -> None:
    from ..corpus.files import write_corpus
    from ..corpus.real_text.kinds import usual_place
    from ..corpus.real_text.make import make, meta_of

    path = usual_place(source, kind) if file is None else file
    with _progress() as update:
        made = make(source, kind, path, wanted, update)
    documents, cut = _continued(made.documents, continuation)
    meta = meta_of(source, kind, wanted, made) | _meta(continuation)
    written = write_corpus(out, documents, meta)
    for line in _account(path, kind, made):
        stdout_console().print(line)
    fate = "kept" if wanted.keep_unasked or kind.notes is None else "left out"
    note = f"; {made.unasked:,} without a question {fate}" if made.unasked else ""
    _finish(source, out, written, note + cut)


def _continued(
    documents: "Sequence[Document]", characters: int | None
) -> "tuple[Sequence[Document], str]":
    """The documents with their continuations, where these are wanted, and what to say of it."""
    from ..corpus.continuation import continued

    if characters is None:
        return documents, ""
    made, whole = continued(documents, characters)
    return made, f"; {whole:,} that cannot be cut have no continuation" if whole else ""


def _meta(continuation: int | None) -> dict[str, int]:
    return {} if continuation is None else {"continuation_characters": continuation}


def _account(path: Path, kind: "TextFormat", made: "Made") -> Iterator[str]:
    """What was read, left out and made, a line each."""
    gathered, lengths = made.gathered, made.lengths
    yield (f"{path}: {kind.what}, {len(gathered.files):,} files, licence: {kind.licence}")
    yield (
        f"  left out: {gathered.repeated:,} files and {made.dropped:,} entries that stand in "
        f"another one too, {gathered.undated:,} entries without a heading or date, "
        f"{made.short:,} characters too short for a document, {made.crowded:,} documents of "
        f"sources with many, {made.repeating:,} held-out documents that repeat an "
        f"earlier split, {made.refused:,} questions that the independent reader answers otherwise"
    )
    for name, reason in gathered.unreadable.items():
        yield f"  not read: {name} ({reason})"
    if gathered.latin1:
        yield f"  {gathered.latin1:,} files are no UTF-8 and were read as Latin-1"
    yield (
        f"  {made.groups:,} groups of sources, the largest of {made.largest:,}: "
        + ", ".join(f"{one} {n:,} documents ({q:,} questions)"
                    for one, (n, q) in made.splits.items())
    )  # fmt: skip
    families = ", ".join(f"{name} {n:,}" for name, n in made.families.items())
    yield f"  questions: {families or 'none, the text answers nothing about itself'}"
    yield "  characters: " + ", ".join(f"{each:,}" for each in lengths) + " (least, quarters, most)"


def _finish(source: str, out: Path, written: "Corpus", note: str) -> None:
    from ..corpus.outside.formats import FORMATS

    questions = sum(len(document.questions) for document in written.documents)
    console = stdout_console()
    console.print(
        f"{out}: {len(written.documents):,} documents, {questions:,} questions, "
        f"sha256 {written.sha256[:12]}{note}"
    )
    every = [question for document in written.documents for question in document.questions]
    alone = f"--teacher-only --corpus {out}"
    if any(not question.is_continuation for question in every):
        step = f"evaluate {alone} --scorer {FORMATS[source].scorer}"
    else:
        step = f"utilisation {alone}" if every else f"extract --corpus {out} --run RUN"
    console.print(f"next: `latentcomp {step} --teacher MODEL`")


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar over the files, on a terminal; gives a function to call with (done, total)."""
    from rich.progress import Progress

    console = stdout_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
