"""The commands `latentcomp corpus` and `latentcomp extract`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console
from ..store.format.codecs import CodecName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..corpus.records import Document
    from ..corpus.source import GeneratedCorpus
    from ..store.format.schema import DtypeName

GENERATED = "generated"

_PRESET = typer.Option(help="Size of the documents: lab (300-600 tokens) or qwen3-30b (2k-32k).")
_SPLIT = typer.Option(help="Which names and values: train, or one that shares none with it.")
_SEED = typer.Option(min=0, help="Seed of the generator.")
_GENERATOR = typer.Option(
    min=1, help="Version of the world, 3 or 4 (docs/corpus4.md). [default: the lab teacher's]"
)
_DOCUMENTS = typer.Option(min=1, help="Number of documents.")


def corpus(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    preset: Annotated[str, _PRESET] = "lab",
    split: Annotated[str, _SPLIT] = "train",
    documents: Annotated[int, _DOCUMENTS] = 1000,
    seed: Annotated[int, _SEED] = 0,
    generator: Annotated[int | None, _GENERATOR] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Let the independent solver answer every question.")
    ] = False,
) -> None:
    """Generate dated documents with questions, and write them as Parquet.

    The same options give the same bytes. Example:
    `latentcomp corpus --preset lab --split test --documents 200 --seed 7 --out runs/held-out`
    """
    from ..corpus.source import GeneratedCorpus, write_generated

    wanted = GeneratedCorpus(preset, split, documents, seed, generator)
    written = write_generated(wanted, out)
    questions = sum(len(document.questions) for document in written.documents)
    stdout_console().print(
        f"{out}: {len(written.documents):,} documents, {questions:,} questions, "
        f"sha256 {written.sha256[:12]}"
    )
    if check:
        _CHECKS[wanted.resolved["generator"]](written.documents, wanted, out)


def _check_3(documents: "Sequence[Document]", wanted: "GeneratedCorpus", out: Path) -> None:
    """The independent solver and the balances of generator 3."""
    from ..common.errors import CorpusError
    from ..corpus.chronicle.check import check_corpus, render_check

    checked = check_corpus(documents)
    stdout_console().print(render_check(checked))
    if not checked.ok:
        raise CorpusError(f"{out}: the solver disagrees with the corpus; see above")


def _check_4(documents: "Sequence[Document]", wanted: "GeneratedCorpus", out: Path) -> None:
    """The independent solver of generator 4, and what its cheap readers get right."""
    from ..common.errors import CorpusError
    from ..corpus.chronicle4.checking import check
    from ..corpus.chronicle4.chronicle import chronicles
    from ..corpus.chronicle4.presets import preset
    from ..corpus.chronicle4.pricing import price, table

    size = wanted.resolved
    made = list(chronicles(size["preset"], size["split"], size["documents"], size["seed"]))
    checked = check(made, preset(size["preset"]).days)
    console = stdout_console()
    console.print(table(price(made)))
    console.print(
        f"{checked.documents} documents: the solver disagrees on {len(checked.disagreements)} "
        f"questions, {len(checked.duplicates)} are asked twice"
    )
    if checked.disagreements or checked.duplicates:
        raise CorpusError(f"{out}: the solver disagrees with the corpus; see above")


_CHECKS: Final = {3: _check_3, 4: _check_4}


def extract(
    run: RunOption = DEFAULT_RUN,
    layers: Annotated[
        str,
        typer.Option(
            help="Which states: -k is hidden_states[-k]; -1 after the norm, 0 embeddings."
        ),
    ] = "-6,-18,-30",
    teacher: Annotated[
        str, typer.Option(help="`lab`, `lab4` (generator 4, not finished), a folder or a hub id.")
    ] = "lab",
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch of a hub model.")
    ] = None,
    corpus: Annotated[
        str,
        typer.Option(
            metavar="PATH|generated",
            help="Corpus folder or JSONL file; `generated` uses or makes the run's own.",
        ),
    ] = GENERATED,
    preset: Annotated[str | None, _PRESET] = None,
    split: Annotated[str | None, _SPLIT] = None,
    documents: Annotated[int | None, _DOCUMENTS] = None,
    seed: Annotated[int | None, _SEED] = None,
    generator: Annotated[int | None, _GENERATOR] = None,
    dtype: Annotated[
        Literal["bfloat16", "float16", "float32"],
        typer.Option(help="Precision in which the states are kept."),
    ] = "bfloat16",
    compute_dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Precision of the teacher; auto: float32 for lab and CPU."),
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    backend: Annotated[
        Literal["auto", "transformers", "vllm"],
        typer.Option(help="Engine; auto: vLLM where it is installed and fits, and says why."),
    ] = "auto",
    batch_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Most tokens, padding included, read at once."),
    ] = None,
    reading: Annotated[
        Literal["auto", "padded", "packed", "compiled", "tuned"],
        typer.Option(
            help="Of transformers; auto: packed and compiled on a GPU in bfloat16; tuned: faster, "
            "but the last bits are then those of one run on one machine."
        ),
    ] = "auto",
    codec: Annotated[
        CodecName,
        typer.Option(help="How the store compresses states."),
    ] = "raw",
    tokens_per_second: Annotated[
        float | None,
        typer.Option(min=1.0, help="Plan with this rate instead of measuring one."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan only.")] = False,
    tokens: Annotated[
        float | None,
        typer.Option(min=1.0, help="With --dry-run: forecast so many tokens, of no corpus."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Read with a Ray cluster: its address, auto, or local; an extra."),
    ] = None,
    within_hours: Annotated[
        float, typer.Option(min=0.01, help="With --tokens: hours in which to be done.")
    ] = 24.0,
) -> None:
    """Read documents with the teacher and write its hidden states to the run's store.

    Shows size and duration before it begins. Killed and started again with the same options, it
    resumes; once finished, it does nothing. Started by torchrun or srun, the processes share
    the work and continue what a killed one left. Example:
    `latentcomp extract --layers -6,-18,-30 --documents 1000 --seed 3`
    """
    from ..common.errors import UsageError
    from ..corpus.source import choose_corpus
    from ..models.layers import parse_layers
    from .early import check_input

    wanted = choose_corpus(
        None if corpus == GENERATED else Path(corpus), preset, split, documents, seed, generator
    )
    numbers = parse_layers(layers)
    check_input(wanted if isinstance(wanted, Path) else None, teacher)
    from ..extract.ranks import rank_from
    from ..extract.request import ExtractionRequest
    from ..extract.runner import extract as run_extraction

    if tokens is not None:
        if not dry_run:
            raise UsageError(f"--tokens {tokens:,.0f} only forecasts; give --dry-run with it")
        _show_forecast(
            teacher, layers, tokens, dtype, batch_tokens, within_hours, tokens_per_second
        )
        return

    request = ExtractionRequest(
        run=run,
        layers=numbers,
        corpus=wanted,
        teacher=teacher,
        revision=revision,
        dtype=dtype,
        compute_dtype=compute_dtype,
        device=device,
        backend=backend,
        batch_tokens=batch_tokens,
        reading=reading,
        rank=rank_from(),
        codec=codec,
        tokens_per_second=tokens_per_second,
        dry_run=dry_run,
    )
    if ray is None:
        run_extraction(request, stdout_console())
        return
    from ..extract.ray_extract import extract_with_ray

    extract_with_ray(request, stdout_console(), ray)


def _show_forecast(
    teacher: str,
    layers: str,
    tokens: float,
    dtype: "DtypeName",
    batch_tokens: int | None,
    within_hours: float,
    tokens_per_second: float | None,
) -> None:
    """Print what an extraction of so many tokens takes. Raises: UsageError, TeacherError."""
    from ..extract.forecast import forecast, render_forecast
    from ..extract.request import LARGE_BATCH
    from ..models.layers import parse_layers

    result = forecast(
        teacher,
        parse_layers(layers),
        round(tokens),
        dtype=dtype,
        batch_tokens=batch_tokens or LARGE_BATCH,
        within_hours=within_hours,
        tokens_per_second=tokens_per_second,
    )
    stdout_console().print(render_forecast(result))
