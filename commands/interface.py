"""The interface ceiling of a reader: document batches, one after the other, kept as they come.

OUT/request.json                 what the batches are of; other options are refused
OUT/text-0000.parquet            ceiling and floor of a batch
OUT/8x-0000.parquet              answers from latents; .safetensors: the latents; .json: last
OUT/ceiling.json                 the result
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ..common import atomic, provenance
from ..common.errors import UsageError
from ..corpus.records import Document
from ..evaluate.answer_limit import answer_limit
from ..evaluate.held_out import HeldOutSet, explored, undated_in_text
from ..evaluate.interface.measure import Measured, measure
from ..evaluate.interface.result import InterfaceResult, RatioResult, sides
from ..evaluate.interface.settings import Settings
from ..evaluate.interface.table import OnUnit
from ..evaluate.scores import ScoredAnswer, read_answers, write_answers
from ..evaluate.table import FEW_DOCUMENTS
from ..evaluate.text_arms import run_text_arms
from ..models.loading import CausalLM, load_causal_lm, resolve_device
from ..models.precision import dtype_name, resolved_dtype
from ..models.quantised import quantised_note
from ..models.world import generator_for
from ..reasoner.context import check_context
from ..reasoner.optimised import OptimisedRecord, read_optimised, write_optimised
from ..reasoner.selftest import check_reader
from .ceiling_options import CeilingOptions
from .interface_start import Origin, origin_of

RESULT: Final = "ceiling.json"
REQUEST: Final = "request.json"
DEFAULT_RATIO: Final = 8.0


def measure_interface(
    options: CeilingOptions, on_unit: OnUnit = lambda what, done, total, loss: None
) -> InterfaceResult:
    """Optimise latents for documents, at every ratio, and measure what the reasoner answers.

    Comparable with the throwaway figures of 2026-11-28 (0.999 at 8x, 0.929 at 16x, 0.738 at 32x; 24
    validation documents of generator 3) is `accuracy["optimised"]` of the questions optimised for,
    with `--hold-out 0 --steps 250`, all questions that can be asked, and `--start CHECKPOINT` of a
    4x compressor. Those optimised what stood before the projection's scale or behind it (not
    recorded), scored token by token given the right tokens before; here answers are generated, from
    latents rounded to bfloat16. With other questions held out, both accuracies are lower bounds of
    what K vectors can hold: the optimisation had no reason to keep what it was not asked.

    Raises:
        UsageError: options that do not fit each other, or other ones than the folder began with.
        CorpusError, TeacherError, CheckpointError: what it needs is missing or damaged.
    """
    ratios = tuple(dict.fromkeys(options.ratio or [DEFAULT_RATIO]))
    if options.save_latents is not None and len(ratios) > 1:
        raise UsageError(
            f"--save-latents {options.save_latents}: a file holds latents of one ratio, and there "
            f"are {len(ratios)}; give one --ratio"
        )
    held = _documents(options)
    device = resolve_device(options.device).type
    dtype = resolved_dtype(options.dtype, options.reasoner, device)
    lm = load_causal_lm(options.reasoner, dtype=dtype, device=options.device)
    limit, where = answer_limit(lm, held.documents), str(options.corpus or "generated documents")
    check_context(lm, held.documents, limit, where)
    check_reader(lm, held.documents)
    origin = origin_of(options, lm)
    settings = _settings(options, origin)
    seen = _provenance(options, held, lm, origin)
    _begin(options, settings, held, lm)
    work = _Work(options, settings, held, lm, origin, seen)
    work.run(ratios, on_unit)
    result = work.result(ratios)
    result.write(options.out / RESULT)
    if options.save_latents is not None:
        work.save_latents(options.save_latents, ratios[0])
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """Batches of documents, at each ratio."""

    options: CeilingOptions
    settings: Settings
    held: HeldOutSet
    lm: CausalLM
    origin: Origin
    seen: dict[str, Any]

    @property
    def batches(self) -> list[tuple[Document, ...]]:
        """Documents that are optimised together; the last ones share a batch if one were alone."""
        documents, size = self.held.documents, self.options.batch_size
        starts = list(range(0, len(documents), size))
        if len(documents) - starts[-1] == 1 and len(starts) > 1:
            del starts[-1]
        ends = [*starts[1:], len(documents)]
        return [documents[start:end] for start, end in zip(starts, ends, strict=True)]

    def file(self, what: str, number: int, suffix: str) -> Path:
        """A file of one batch."""
        return self.options.out / f"{what}-{number:04d}.{suffix}"

    def missing(self, ratios: Sequence[float]) -> Iterator[tuple[float, int, tuple[Document, ...]]]:
        """What is not there yet, ratio by ratio."""
        for ratio in ratios:
            for number, documents in enumerate(self.batches):
                if not self.file(f"{ratio:g}x", number, "json").exists():
                    yield ratio, number, documents

    def run(self, ratios: Sequence[float], on_unit: OnUnit) -> None:
        """Measure what is missing; every batch is on the disk when the next one begins."""
        for number, documents in enumerate(self.batches):
            if not self.file("text", number, "parquet").exists():
                answered = run_text_arms(self.lm, documents, len(documents))
                write_answers(self.file("text", number, "parquet"), answered.rows)
        units = list(self.missing(ratios))
        steps = self.settings.steps
        for index, (ratio, number, documents) in enumerate(units):
            what, done = f"{ratio:g}x batch {number + 1}/{len(self.batches)}", index * steps

            def on_step(step: int, loss: float, what: str = what, done: int = done) -> None:
                on_unit(what, done + step, len(units) * steps, loss)

            measured = measure(
                self.lm,
                documents,
                ratio,
                self.settings,
                self.origin.start,
                self.origin.read,
                on_step,
            )
            self._keep(ratio, number, measured)

    def _keep(self, ratio: float, number: int, measured: Measured) -> None:
        what = f"{ratio:g}x"
        write_answers(self.file(what, number, "parquet"), measured.rows)
        record = self._record(ratio)
        write_optimised(self.file(what, number, "safetensors"), measured.latents, record)
        figures = {
            "tokens": measured.tokens,
            "latents": sum(map(len, measured.latents.values())),
            "curve": measured.curve,
            "seconds": measured.seconds,
            "provenance": self.seen,  # of this session: a later one may be of other code
        }
        atomic.write_json(self.file(what, number, "json"), figures)  # last: the batch is whole

    def _record(self, ratio: float) -> OptimisedRecord:
        return OptimisedRecord(
            reasoner=self.lm.identity,
            corpus_sha256=self.held.source.sha256,
            ratio=ratio,
            positions=self.settings.positions,
            settings=self.settings.model_dump(mode="json"),
            provenance=self.seen,
        )

    def result(self, ratios: Sequence[float]) -> InterfaceResult:
        """Figures over all batches."""
        numbers = range(len(self.batches))
        text = self._answers("text", numbers)
        return InterfaceResult(
            documents=len(self.held.documents),
            reasoner=self.lm.identity,
            corpus=self.held.source,
            settings=self.settings,
            seed=self.options.seed,
            ratios={f"{ratio:g}": self._of_ratio(ratio, text) for ratio in ratios},
            notes=tuple(note for note in _notes(self.held, self.settings, self.lm) if note),
            provenance=self.seen,
        )

    def _of_ratio(self, ratio: float, text: list[ScoredAnswer]) -> RatioResult:
        what, numbers = f"{ratio:g}x", range(len(self.batches))
        units = [json.loads(self.file(what, number, "json").read_text()) for number in numbers]
        rows = text + self._answers(what, numbers)
        documents = self.held.documents
        optimised_for, others = sides(rows, documents, self.settings, self.options.seed)
        tokens, latents = (sum(unit[name] for unit in units) for name in ("tokens", "latents"))
        return RatioResult(
            ratio=ratio,
            tokens_per_latent=tokens / latents,
            latents=latents,
            optimised_for=optimised_for,
            held_out=others,
            curve=_mean_curve([unit["curve"] for unit in units]),
            seconds=sum(unit["seconds"] for unit in units),
        )

    def _answers(self, what: str, numbers: Sequence[int]) -> list[ScoredAnswer]:
        files = (self.file(what, number, "parquet") for number in numbers)
        return [row for file in files for row in read_answers(file)]

    def save_latents(self, path: Path, ratio: float) -> None:
        """The latents of all documents in one file."""
        files = (self.file(f"{ratio:g}x", n, "safetensors") for n in range(len(self.batches)))
        every = {name: x for file in files for name, x in read_optimised(file).latents.items()}
        write_optimised(path, every, self._record(ratio))


def _documents(options: CeilingOptions) -> HeldOutSet:
    return explored(
        options.corpus,
        options.preset,
        options.split,
        options.documents,
        options.seed,
        generator_for(options.reasoner, options.generator),
        options.questions,
    )


def _settings(options: CeilingOptions, origin: Origin) -> Settings:
    names = Settings.model_fields.keys() - {"layers", "seed", "start_sha256"}
    given = {name: getattr(options, name) for name in names}
    given |= {"layers": origin.layers, "seed": options.optimiser_seed}
    try:
        return Settings.model_validate({**given, "start_sha256": origin.sha256})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{name} {first['input']}: {first['msg']}") from None


def _provenance(
    options: CeilingOptions, held: HeldOutSet, lm: CausalLM, origin: Origin
) -> dict[str, Any]:
    inputs = {"reasoner": lm.identity.weights_sha256, "corpus": held.source.sha256}
    if origin.sha256 is not None:
        inputs["checkpoint"] = origin.sha256
    seeds = {"documents": options.seed, "optimiser": options.optimiser_seed}
    return provenance.collect(seeds, inputs).model_dump(mode="json")


def _begin(options: CeilingOptions, settings: Settings, held: HeldOutSet, lm: CausalLM) -> None:
    """Record what the folder is of; refuses a folder that was begun with something else."""
    request = {
        **settings.model_dump(mode="json"),
        "corpus": held.source.sha256,
        "documents": len(held.documents),
        "reasoner": lm.identity.weights_sha256,
        "batch_size": options.batch_size,
        "dtype": dtype_name(lm),
    }
    file = options.out / REQUEST
    if not file.is_file():
        atomic.write_json(file, request)
        return
    before = json.loads(file.read_text())
    for name, value in request.items():
        if before.get(name) != value:
            raise UsageError(
                f"{options.out}: begun with {name} {before.get(name)}, now {value}; give another "
                "--out, or the same options to go on"
            )


def _notes(held: HeldOutSet, settings: Settings, lm: CausalLM) -> tuple[str, ...]:
    count = len(held.documents)
    return (
        quantised_note(lm.identity),
        undated_in_text(held.documents),
        f"{count} documents: a percentile interval over fewer than about {FEW_DOCUMENTS} covers "
        "less than 95 %"
        if count < FEW_DOCUMENTS
        else "",
        "questions held out may rest on sentences that others were optimised for"
        if settings.hold_out
        else "all questions were optimised for: an upper comparator",
    )


def _mean_curve(curves: Sequence[list[Any]]) -> tuple[tuple[int, float], ...]:
    """Mean over the documents of all batches, step by step."""
    points: dict[int, list[float]] = {}
    for curve in curves:
        for step, losses in curve:
            points.setdefault(step, []).extend(losses)
    return tuple((step, sum(losses) / len(losses)) for step, losses in points.items())
