"""A prepared extraction: the request with everything known without loading the teacher."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .. import __version__
from ..common.errors import StoreError
from ..corpus.source import keep_corpus, run_corpus
from ..corpus.swap import settle
from ..models.files import locate_model
from ..models.layers import resolve_layers
from ..models.loading import TextSide, load_text_side, resolve_device
from ..models.tokens import tokenize_document
from ..store.format.documents import Documents
from ..store.format.identity import corpus_of_store
from ..store.format.layout import MANIFEST
from ..store.format.ledger import read_sealed
from ..store.format.schema import LayerRecord, Manifest, ModelIdentity
from ..store.places.open import place_of
from ..store.write.committed import Committed
from ..store.write.writer import StoreWriter
from .backends import Choice, Need, choose_backend
from .batches import Window, plan_windows
from .plan import ExtractionPlan, make_plan
from .record import ExtractionSettings, check_settings, read_extraction_record
from .request import ExtractionRequest
from .shard_ranges import WHOLE_STORE, ShardRange
from .teachers.reading_mode import ReadingMode, choose_reading_mode, reading_mode
from .token_lists import TokenLists


@dataclass(frozen=True)
class Job:
    """Corpus, manifest, settings and the missing documents of one extraction."""

    request: ExtractionRequest
    settings: ExtractionSettings
    need: Need
    choice: Choice
    corpus_meta: Mapping[str, Any]
    """Of the corpus, whose documents are not kept."""
    entries: Documents
    manifest: Manifest
    pending: Set[int]
    """Documents missing when this process started, those of other ranks included."""

    @property
    def documents(self) -> TokenLists:
        """Token ids of every document, read when they are asked for."""
        return TokenLists(self.entries)

    @property
    def lengths(self) -> list[int]:
        """Tokens of every document."""
        lengths: list[int] = self.entries.lengths.tolist()
        return lengths

    @property
    def reading_mode(self) -> ReadingMode:
        """How transformers reads the documents."""
        return reading_mode(self.settings.reading, self.need.device, self.settings.compute_dtype)

    @property
    def packed(self) -> bool:
        """True if the engine computes no padding."""
        return self.choice.backend == "vllm" or self.reading_mode.packed

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Windows of the whole corpus; the same for a resumed run and for every rank."""
        budget = self.settings.batch_tokens
        return tuple(plan_windows(self.lengths, budget, packed=self.packed))

    @property
    def shards(self) -> int:
        """Number of shards of the store; a few too many where documents are repeated."""
        return -(-int(self.entries.lengths.sum()) // self.manifest.shard_tokens)

    @cached_property
    def committed(self) -> Committed:
        """What this process has read of the ledger, for all its writers."""
        return Committed(place_of(self.request.store))

    def writer(self, shards: ShardRange = WHOLE_STORE) -> StoreWriter:
        """A writer of a range of shards, not entered. Raises: StoreError."""
        return StoreWriter(
            self.request.store,
            self.manifest,
            self.entries,
            rank=shards.number,
            world=shards.count,
            committed=self.committed,
        )

    def plan(self, tokens_per_second: float | None) -> ExtractionPlan:
        """The plan at this rate of one process."""
        return make_plan(
            self.manifest,
            self.lengths,
            self.windows,
            self.pending,
            tokens_per_second,
            processes=self.request.rank.world,
        )


def prepare(request: ExtractionRequest) -> Job:
    """Read the corpus, the model's files and the state of the run folder.

    Raises:
        LatentcompError: one of them is missing or damaged, or they do not fit together.
    """
    text_side = load_text_side(request.teacher, revision=request.revision)
    layers = resolve_layers(request.layers, text_side.identity.blocks)
    record = read_extraction_record(request.run) if (request.store / MANIFEST).exists() else None
    need = _need(request, text_side, layers)
    choice = choose_backend(request.backend, need, record.settings.backend if record else None)
    folder = request.run / "corpus"
    named = corpus_of_store(place_of(request.store))
    if not request.dry_run:
        settle(folder, named)
    corpus = run_corpus(request.corpus, folder, write=False, named=named)
    entries = Documents(tokenize_document(text_side, d) for d in corpus.documents)
    tokens = int(entries.lengths.sum())
    reading = "packed"
    if choice.backend == "transformers":
        reading = choose_reading_mode(
            request.reading, need.files, need.device, need.compute_dtype, tokens
        )
    settings = request.settings.model_copy(update={"backend": choice.backend, "reading": reading})
    if record:
        check_settings(record.settings, settings, request.store)
    manifest = Manifest(
        teacher=_teacher_of(request, text_side.identity),
        layers=layers,
        dtype=request.dtype,
        codec=request.codec,
        corpus_sha256=corpus.sha256,
        code_version=__version__,
    )
    pending = StoreWriter(request.store, manifest, entries).pending_set()
    if not request.dry_run:  # last: a corpus that was refused would keep out the corrected one
        keep_corpus(corpus, folder)
    return Job(request, settings, need, choice, corpus.meta, entries, manifest, pending)


def _teacher_of(request: ExtractionRequest, identity: ModelIdentity) -> ModelIdentity:
    """The identity of the teacher, as an existing store has it: older ones know no config.

    Raises:
        StoreError: the store was begun with another config of the same weights, or its manifest
            is damaged.
    """
    if not (request.store / MANIFEST).exists():
        return identity
    recorded = read_sealed(place_of(request.store), MANIFEST, Manifest).teacher
    identity = identity.as_recorded(recorded)
    weights = recorded.weights_sha256 == identity.weights_sha256
    if weights and recorded.config_sha256 != identity.config_sha256:
        raise StoreError(
            f"{request.store}: config.json of {identity.name!r} is not the one that the store was "
            "begun with, and its states would differ; put the old one back to go on, or choose "
            "another --run"
        )
    return identity


def _need(request: ExtractionRequest, text_side: TextSide, layers: tuple[LayerRecord, ...]) -> Need:
    return Need(
        files=locate_model(request.teacher, revision=request.revision),
        layers=layers,
        device=resolve_device(request.rank.device(request.device)),
        compute_dtype=request.settings.compute_dtype,
        batch_tokens=request.settings.batch_tokens,
        context_tokens=text_side.context_tokens,
    )
