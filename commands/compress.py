"""The commands `latentcomp compress` and `latentcomp ask`: latents of one's own documents."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common.terminal import option, stdout_console

if TYPE_CHECKING:
    from ..corpus.records import Document
    from .given_documents import GivenDocuments

_WHAT, _WITH, _HOW = "What is read", "With which models", "How it runs"

_FILE = typer.Argument(help="A text, a JSONL corpus, or a corpus folder.", metavar="FILE")
_COMPRESSOR = option(
    _WITH,
    "`lab-4x`, which ships, or a folder: pretrained, or a trial of a run. [default: lab-4x; of "
    "latents the one that made them]",
)
_RUN = option(_WITH, "Instead of --compressor: a run folder, whose trial is used.", "--run")
_PHASE = option(_WITH, "Phase of that trial.")
_RECIPE = option(_WITH, "Instead of --phase: name of that trial, as `train` has it.")
_SEED = option(_WITH, "Training seed of that trial, where there are several.", min=0)
_TEACHER = option(_WITH, "Who reads, where the compressor's record cannot name it.")
_REASONER = option(_WITH, "Who answers, where the compressor's record cannot name it.")
_RATIO = option(_WHAT, "Tokens per latent; what it was trained for by default.", min=1.0)
_DEVICE = option(_HOW, "auto, cpu or cuda.")
_BATCH = option(_HOW, "Documents at once.", min=1)


def compress(
    file: Annotated[Path, _FILE],
    out: Annotated[Path, option(_WHAT, "File to write, safetensors.", "--out", "-o")],
    compressor: Annotated[str | None, _COMPRESSOR] = None,
    run: Annotated[Path | None, _RUN] = None,
    phase: Annotated[int | None, _PHASE] = None,
    recipe: Annotated[str | None, _RECIPE] = None,
    training_seed: Annotated[int | None, _SEED] = None,
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
    from .chosen_compressor import chosen_compressor
    from .early import check_input, refuse_all
    from .given_documents import given_documents

    _, _, given, named = refuse_all(
        lambda: _check_out(out, overwrite),
        lambda: check_input(None, teacher),
        lambda: given_documents(file),
        lambda: chosen_compressor(compressor, run, phase, recipe, training_seed),
    )
    from ..api.compressor import Compressor
    from ..models.foreign import foreign_note
    from .asking import SHIPPED

    model = Compressor.from_pretrained(named or SHIPPED, device=device, teacher=teacher)
    with warnings.catch_warnings(action="ignore"):  # said below, as a line of the command
        latents = model.compress(given.documents, ratio=ratio, batch_size=batch_size)
    latents.save(out, overwrite=overwrite)
    text = sum(len(document.text.encode()) for document in given.documents)
    console = stdout_console()
    console.print(
        f"{out}: {len(latents):,} documents, {latents.tokens_per_latent:.2f} tokens per latent, "
        f"{latents.nbytes:,} bytes of latents for {text:,} bytes of text"
    )
    for note in (*latents.record.notes, foreign_note(model.spec.teacher, given.generator)):
        if note:
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
    compressor: Annotated[str | None, _COMPRESSOR] = None,
    run: Annotated[Path | None, _RUN] = None,
    phase: Annotated[int | None, _PHASE] = None,
    recipe: Annotated[str | None, _RECIPE] = None,
    training_seed: Annotated[int | None, _SEED] = None,
    ratio: Annotated[float | None, _RATIO] = None,
    teacher: Annotated[str | None, _TEACHER] = None,
    reasoner: Annotated[str | None, _REASONER] = None,
    answer_tokens: Annotated[int, option(_HOW, "Longest answer, in tokens.", min=1)] = 64,
    device: Annotated[str, _DEVICE] = "auto",
) -> None:
    """Ask about one document: from its latents, its text, retrieval at equal tokens, and nothing.

    Example: `latentcomp ask notes.txt "Where does Ann live?"`
    """
    from .chosen_compressor import chosen_compressor
    from .early import check_input, refuse_all
    from .given_documents import given_documents

    _, (chosen, generator), named = refuse_all(
        lambda: check_input(None, teacher, reasoner),
        lambda: _one(given_documents(file), document, file),
        lambda: chosen_compressor(compressor, run, phase, recipe, training_seed),
    )
    from .asking import AskRequest, answers, render

    request = AskRequest(
        document=chosen,
        questions=tuple(questions or ()),
        most=most,
        latents=latents,
        compressor=named,
        ratio=ratio,
        teacher=teacher,
        reasoner=reasoner,
        answer_tokens=answer_tokens,
        device=device,
        generator=generator,
    )
    console = stdout_console()
    for line in render(answers(request)):
        console.print(line)


def _check_out(out: Path, overwrite: bool) -> None:
    from ..common.errors import UsageError

    if out.exists() and not overwrite:
        raise UsageError(f"--out {out}: it is there already; give another, or --overwrite")


def _one(given: "GivenDocuments", name: str | None, file: Path) -> "tuple[Document, int | None]":
    """A document of a corpus, and the version of its generator. Raises: UsageError."""
    from ..common.errors import UsageError

    for each in given.documents:
        if name in (None, each.document_id):
            return each, given.generator
    raise UsageError(
        f"{file}: no document {name!r} among {len(given.documents):,}; the first is "
        f"{given.documents[0].document_id!r}"
    )
