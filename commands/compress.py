"""The commands `latentcomp compress` and `latentcomp ask`: latents of one's own documents."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common.terminal import option, stdout_console

if TYPE_CHECKING:
    from ..corpus.records import Document

_WHAT, _WITH, _HOW = "What is read", "With which models", "How it runs"

_FILE = typer.Argument(help="A text, a JSONL corpus, or a corpus folder.", metavar="FILE")
_COMPRESSOR = option(_WITH, "`lab-4x`, which ships, or a folder: pretrained, or a trial of a run.")
_TEACHER = option(_WITH, "Who reads, where the compressor's record cannot name it.")
_REASONER = option(_WITH, "Who answers, where the compressor's record cannot name it.")
_RATIO = option(_WHAT, "Tokens per latent; what it was trained for by default.", min=1.0)
_DEVICE = option(_HOW, "auto, cpu or cuda.")
_BATCH = option(_HOW, "Documents at once.", min=1)


def compress(
    file: Annotated[Path, _FILE],
    out: Annotated[Path, option(_WHAT, "File to write, safetensors.", "--out", "-o")],
    compressor: Annotated[str, _COMPRESSOR] = "lab-4x",
    ratio: Annotated[float | None, _RATIO] = None,
    teacher: Annotated[str | None, _TEACHER] = None,
    device: Annotated[str, _DEVICE] = "auto",
    batch_size: Annotated[int, _BATCH] = 8,
    overwrite: Annotated[
        bool, option(_WHAT, "Replace a file that is there.", "--overwrite")
    ] = False,
) -> None:
    """Write the latents of documents, with the hashes of what made them.

    Example: `latentcomp compress notes.txt --out notes.latents`, then
    `latentcomp ask notes.txt "Where does Ann live?" --latents notes.latents`
    """
    from ..common.errors import UsageError
    from .early import check_input

    if out.exists() and not overwrite:
        raise UsageError(f"--out {out}: it is there already; give another, or --overwrite")
    check_input(None, teacher)
    documents = _documents(file)
    from ..api.compressor import Compressor

    model = Compressor.from_pretrained(compressor, device=device, teacher=teacher)
    with warnings.catch_warnings(action="ignore"):  # said below, as a line of the command
        latents = model.compress(documents, ratio=ratio, batch_size=batch_size)
    latents.save(out, overwrite=overwrite)
    text = sum(len(document.text.encode()) for document in documents)
    console = stdout_console()
    console.print(
        f"{out}: {len(latents):,} documents, {latents.tokens_per_latent:.2f} tokens per latent, "
        f"{latents.nbytes:,} bytes of latents for {text:,} bytes of text"
    )
    for note in latents.record.notes:
        console.print(f"note: {note}", style="yellow")


def ask(
    file: Annotated[Path, _FILE],
    questions: Annotated[
        list[str] | None,
        typer.Argument(help="What to ask. [default: the corpus's own]", metavar="QUESTION..."),
    ] = None,
    document: Annotated[
        str | None, option(_WHAT, "Id of the document of a corpus. [default: its first]")
    ] = None,
    most: Annotated[int, option(_WHAT, "Of the corpus's own questions, the first so many.")] = 5,
    latents: Annotated[
        Path | None, option(_WHAT, "A file of `compress`; stale and foreign ones are refused.")
    ] = None,
    compressor: Annotated[str, _COMPRESSOR] = "lab-4x",
    ratio: Annotated[float | None, _RATIO] = None,
    teacher: Annotated[str | None, _TEACHER] = None,
    reasoner: Annotated[str | None, _REASONER] = None,
    answer_tokens: Annotated[int, option(_HOW, "Longest answer, in tokens.", min=1)] = 64,
    device: Annotated[str, _DEVICE] = "auto",
) -> None:
    """Ask about one document: from its latents, its text, retrieval at equal tokens, and nothing.

    Example: `latentcomp ask notes.txt "Where does Ann live?"`
    """
    from .early import check_input

    check_input(None, teacher, reasoner)
    chosen = _one(_documents(file), document, file)
    from .asking import AskRequest, answers, render

    request = AskRequest(
        document=chosen,
        questions=tuple(questions or ()),
        most=most,
        latents=latents,
        compressor=compressor,
        ratio=ratio,
        teacher=teacher,
        reasoner=reasoner,
        answer_tokens=answer_tokens,
        device=device,
    )
    console = stdout_console()
    for line in render(answers(request)):
        console.print(line)


def _documents(file: Path) -> "tuple[Document, ...]":
    """A corpus, or a text as a document of one chunk. Raises: CorpusError, UsageError."""
    from ..common.errors import CorpusError, UsageError
    from ..corpus.files import read_corpus
    from ..corpus.records import Chunk, Document

    if file.is_dir() or file.suffix == ".jsonl":
        return read_corpus(file).documents
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    if not text.strip():
        raise UsageError(f"{file}: there is no text in it")
    return (Document(file.name, (Chunk(0, text),)),)


def _one(documents: "tuple[Document, ...]", name: str | None, file: Path) -> "Document":
    from ..common.errors import UsageError

    if name is None:
        return documents[0]
    for each in documents:
        if each.document_id == name:
            return each
    raise UsageError(
        f"{file}: no document {name!r} among {len(documents):,}; the first is "
        f"{documents[0].document_id!r}"
    )
