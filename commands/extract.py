"""The commands `latentcomp corpus` and `latentcomp extract`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from ..common.options import Dtype
from ..common.terminal import DEFAULT_RUN, RunOption, option, stdout_console
from ..store.format.codecs import CodecName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..corpus.records import Document
    from ..corpus.source import GeneratedCorpus
    from ..extract.request import ExtractionRequest

GENERATED = "generated"

_WHICH, _STATES, _HOW, _PLAN = (
    "Which documents", "Which states", "How they are read", "Plan before it begins",
)  # fmt: skip

_PRESET = "Size of the documents: lab (300-600 tokens) or qwen3-30b (2k-32k)."
_SPLIT = "Which names and values: train, or one that shares none with it."
_GENERATOR = "Version of the world, 3 or 4 (docs/corpus.md). [default: what the teacher reads]"


def corpus(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    preset: Annotated[str, typer.Option(help=_PRESET)] = "lab",
    split: Annotated[str, typer.Option(help=_SPLIT)] = "train",
    documents: Annotated[int, typer.Option(min=1, help="Number of documents.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generator.")] = 0,
    generator: Annotated[int | None, typer.Option(min=1, help=_GENERATOR)] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="So many beginnings of each document, asked what is known then."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Let the independent solver answer every question.")
    ] = False,
) -> None:
    """Generate dated documents with questions, and write them as Parquet.

    The same options give the same bytes. Example:
    `latentcomp corpus --preset lab --split test --documents 200 --seed 7 --out runs/held-out`
    """
    from ..common.errors import UsageError
    from ..corpus.source import GeneratedCorpus, write_generated

    wanted = GeneratedCorpus(preset, split, documents, seed, generator)
    if check and steps is not None:
        raise UsageError("--check is of whole documents: leave out --steps, or --check")
    written = write_generated(wanted, out, steps)
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


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """What the user can say of an extraction."""

    run: RunOption = DEFAULT_RUN
    corpus: Annotated[
        str,
        option(
            _WHICH,
            "Corpus folder or JSONL file; `generated` uses or makes the run's own.",
            metavar="PATH|generated",
        ),
    ] = GENERATED
    preset: Annotated[str | None, option(_WHICH, _PRESET)] = None
    split: Annotated[str | None, option(_WHICH, _SPLIT)] = None
    documents: Annotated[int | None, option(_WHICH, "Number of documents.", min=1)] = None
    seed: Annotated[int | None, option(_WHICH, "Seed of the generator.", min=0)] = None
    generator: Annotated[int | None, option(_WHICH, _GENERATOR, min=1)] = None
    teacher: Annotated[
        str,
        option(_STATES, "`lab`, a folder or a hub id."),
    ] = "lab"
    revision: Annotated[str | None, option(_STATES, "Commit, tag or branch of a hub model.")] = None
    layers: Annotated[
        str,
        option(_STATES, "Which states: -k is hidden_states[-k]; -1 after the norm, 0 embeddings."),
    ] = "-6,-18,-30"
    dtype: Annotated[
        Literal["bfloat16", "float16", "float32"],
        option(_STATES, "Precision in which the states are kept."),
    ] = "bfloat16"
    codec: Annotated[CodecName, option(_STATES, "How the store compresses states.")] = "raw"
    compute_dtype: Annotated[
        Dtype,
        option(_HOW, "Precision of the teacher; auto: float32 for lab and CPU."),
    ] = "auto"
    device: Annotated[str, option(_HOW, "auto, cpu, cuda, cuda:1 ...")] = "auto"
    backend: Annotated[
        Literal["auto", "transformers", "vllm"],
        option(_HOW, "Engine; auto: vLLM where it is installed and fits, and says why."),
    ] = "auto"
    batch_tokens: Annotated[
        int | None, option(_HOW, "Most tokens, padding included, read at once.", min=1)
    ] = None
    reading: Annotated[
        Literal["auto", "padded", "packed", "compiled", "tuned"],
        option(
            _HOW,
            "Of transformers; auto: packed and compiled on a GPU in bfloat16; tuned: faster, "
            "but the last bits are then those of one run on one machine.",
        ),
    ] = "auto"
    ray: Annotated[
        str | None,
        option(_HOW, "Read with a Ray cluster: its address, auto, or local; an extra."),
    ] = None
    dry_run: Annotated[bool, option(_PLAN, "Show the plan only.", "--dry-run")] = False
    tokens_per_second: Annotated[
        float | None, option(_PLAN, "Plan with this rate instead of measuring one.", min=1.0)
    ] = None
    tokens: Annotated[
        float | None,
        option(_PLAN, "With --dry-run: forecast so many tokens, of no corpus.", min=1.0),
    ] = None
    within_hours: Annotated[
        float, option(_PLAN, "With --tokens: hours in which to be done.", min=0.01)
    ] = 24.0

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from ..models.layers import parse_layers
        from .early import check_input, check_run_corpus, check_wanted, refuse_all

        def documents() -> None:
            wanted = check_wanted(self.wanted_corpus())
            check_run_corpus(wanted, self.run / "corpus")

        refuse_all(
            documents, lambda: parse_layers(self.layers), lambda: check_input(None, self.teacher)
        )

    def wanted_corpus(self) -> "Path | GeneratedCorpus":
        """What is read. Raises: UsageError, a path with options of the generator."""
        from ..corpus.source import choose_corpus

        path = None if self.corpus == GENERATED else Path(self.corpus)
        version = self.generator if path else self._version()
        return choose_corpus(path, self.preset, self.split, self.documents, self.seed, version)

    def _version(self) -> int | None:
        """The generator that the teacher reads, named only where it is not the default."""
        from ..corpus.generators import LAB_GENERATOR
        from ..models.world import generator_for

        version = generator_for(self.teacher, self.generator)
        return self.generator if version == LAB_GENERATOR else version

    def request(self, wanted: "Path | GeneratedCorpus") -> "ExtractionRequest":
        """The same for the program."""
        from ..extract.ranks import rank_from
        from ..extract.request import ExtractionRequest
        from ..models.layers import parse_layers

        return ExtractionRequest(
            run=self.run,
            layers=parse_layers(self.layers),
            corpus=wanted,
            teacher=self.teacher,
            revision=self.revision,
            dtype=self.dtype,
            compute_dtype=self.compute_dtype,
            device=self.device,
            backend=self.backend,
            batch_tokens=self.batch_tokens,
            reading=self.reading,
            rank=rank_from(),
            codec=self.codec,
            tokens_per_second=self.tokens_per_second,
            dry_run=self.dry_run,
        )


def extract(options: ExtractOptions) -> None:
    """Read documents with the teacher and write its hidden states to the run's store.

    Shows size and duration before it begins. Killed and started again with the same options, it
    resumes; once finished, it does nothing. Started by torchrun or srun, the processes share
    the work and continue what a killed one left. Example:
    `latentcomp extract --layers -6,-18,-30 --documents 1000 --seed 3`
    """
    from ..common.errors import UsageError

    wanted = options.wanted_corpus()
    if options.tokens is not None:
        if not options.dry_run:
            raise UsageError(
                f"--tokens {options.tokens:,.0f} only forecasts; give --dry-run with it"
            )
        _show_forecast(options, options.tokens)
        return
    request = options.request(wanted)
    if options.ray is None:
        from ..extract.runner import extract as run_extraction

        run_extraction(request, stdout_console())
    else:
        from ..extract.ray_extract import extract_with_ray

        extract_with_ray(request, stdout_console(), options.ray)
    from .after_extraction import tell_next

    tell_next(options.run, options.teacher, stdout_console())


def _show_forecast(options: ExtractOptions, tokens: float) -> None:
    """Print what an extraction of so many tokens takes. Raises: UsageError, TeacherError."""
    from ..extract.forecast import forecast, render_forecast
    from ..extract.request import LARGE_BATCH
    from ..models.layers import parse_layers

    result = forecast(
        options.teacher,
        parse_layers(options.layers),
        round(tokens),
        dtype=options.dtype,
        batch_tokens=options.batch_tokens or LARGE_BATCH,
        within_hours=options.within_hours,
        tokens_per_second=options.tokens_per_second,
    )
    stdout_console().print(render_forecast(result))
