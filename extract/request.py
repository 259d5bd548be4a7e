"""Request and outcome of an extraction."""

from dataclasses import dataclass
from pathlib import Path

from ..corpus.source import GeneratedCorpus
from ..models.loading import resolve_device
from ..models.precision import resolved_dtype
from ..store.format.codecs import CodecName
from ..store.format.schema import DtypeName
from .backends import RequestedBackend
from .plan import ExtractionPlan
from .ranks import Rank
from .record import ExtractionSettings
from .teachers.reading_mode import RequestedReadingMode

SMALL_BATCH, LARGE_BATCH = 8192, 32768
"""Tokens; a GPU in half precision is filled by the large one (docs/results/extract_30b.json)."""


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """Options of one extraction."""

    run: Path
    """Run folder: the store goes to `store` in it, the corpus to `corpus`."""
    layers: tuple[int, ...] = (-6, -18, -30)
    """Negative numbers k meaning `hidden_states[k]`, as on the command line."""
    corpus: Path | GeneratedCorpus = GeneratedCorpus()
    """The user's corpus, or what to generate if the run has none yet."""
    teacher: str = "lab"
    """As `load_causal_lm` takes it."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    dtype: DtypeName = "bfloat16"
    """Precision in which the states are kept."""
    compute_dtype: str = "auto"
    """Precision in which the teacher computes; `auto` is float32 for the lab models and on a
    CPU, else bfloat16."""
    device: str = "auto"
    """As `resolve_device` takes it."""
    backend: RequestedBackend = "transformers"
    """Engine, or `auto` for vLLM where it fits. `auto` is not the default of the library: vLLM
    cannot be unloaded from the process that started it."""
    batch_tokens: int | None = None
    """Most tokens, padding included, that the teacher reads at once; None for what suits the
    device."""
    reading: RequestedReadingMode = "auto"
    """How transformers reads: padded, packed, or packed and compiled."""
    rank: Rank = Rank()
    """Which of the processes that fill the store together this one is."""
    codec: CodecName = "raw"
    """How the store squeezes the states."""
    tokens_per_second: float | None = None
    """Rate to plan with; None measures it."""
    dry_run: bool = False
    """Show the plan and write nothing."""

    @property
    def store(self) -> Path:
        """Folder of the store."""
        return self.run / "store"

    @property
    def settings(self) -> ExtractionSettings:
        """What the bits depend on, with `auto` resolved. Raises: TeacherError."""
        device = resolve_device(self.device).type
        dtype = resolved_dtype(self.compute_dtype, self.teacher, device)
        large = device == "cuda" and dtype != "float32"
        return ExtractionSettings(
            batch_tokens=self.batch_tokens or (LARGE_BATCH if large else SMALL_BATCH),
            compute_dtype=dtype,
            device=device,
        )


@dataclass(frozen=True, slots=True)
class ExtractionOutcome:
    """Result of an extraction."""

    plan: ExtractionPlan
    """As it was at the start."""
    store: Path
    documents_written: int
    """0 for a dry run and for a store that was complete."""
    seconds: float
    """Spent on reading and writing, loading and planning left out."""
