"""`extract.json` of a run: what the bits of the store depend on beside its manifest, and when,
where and how fast each session ran. Two equal stores may differ in all of this."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..common.atomic import write_json
from ..common.errors import StoreError
from ..common.lock import folder_mutex
from ..common.provenance import Provenance

RECORD = "extract.json"


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExtractionSettings(_FrozenModel):
    """What shows in the last bits of the states: a resumed run must have the same."""

    batch_tokens: int
    """Most tokens, padding included, of a batch."""
    compute_dtype: str
    """Precision in which the teacher computes."""
    device: str
    """Kind of device, such as `cpu` or `cuda`."""
    backend: str = "transformers"
    """Engine that computed the states, one of `backends.BackendName`."""
    reading: str = "padded"
    """How transformers read the documents, one of `reading_mode.ReadingModeName`."""


class Session(_FrozenModel):
    """One start of the command; a killed one has no seconds."""

    provenance: Provenance
    documents: int
    """Documents that were left to extract when it started, by all ranks together."""
    computed_tokens: int
    """Tokens that the teacher was to compute, padding included."""
    rank: int = 0
    """Of this process among those that filled the store together."""
    world: int = 1
    """Number of those processes."""
    seconds: float | None = None
    """Time from the first batch to the finished store; None if it never got there."""


class ExtractionRecord(_FrozenModel):
    """Settings of the store and the sessions that filled it, oldest first."""

    settings: ExtractionSettings
    sessions: tuple[Session, ...] = ()

    def started(self, session: Session) -> "ExtractionRecord":
        """The record with one more session."""
        return self.model_copy(update={"sessions": (*self.sessions, session)})

    def finished(self, session: Session, seconds: float) -> "ExtractionRecord":
        """The record with this session, the last that is like it, done after so many seconds."""
        place = len(self.sessions) - 1 - self.sessions[::-1].index(session)
        done = session.model_copy(update={"seconds": seconds})
        sessions = (*self.sessions[:place], done, *self.sessions[place + 1 :])
        return self.model_copy(update={"sessions": sessions})


def read_extraction_record(run: Path) -> ExtractionRecord | None:
    """The record of a run; None where nothing was extracted yet.

    Raises:
        StoreError: the file is damaged.
    """
    file = run / RECORD
    try:
        return ExtractionRecord.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{file} cannot be read ({type(error).__name__}); put the file back, or delete the "
            "run folder to extract again"
        ) from error


def write_extraction_record(run: Path, record: ExtractionRecord) -> None:
    """Keep the record, atomically.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    write_json(run / RECORD, record.model_dump(mode="json"))


def start_session(run: Path, settings: ExtractionSettings, session: Session) -> None:
    """Note that a process starts. Ranks that share the run do so one at a time.

    Raises:
        StoreError: the record is damaged or cannot be written.
    """
    with folder_mutex(run):
        record = read_extraction_record(run)
        if record is None or record.settings != settings:
            record = ExtractionRecord(settings=settings)
        write_extraction_record(run, record.started(session))


def end_session(run: Path, session: Session, seconds: float) -> None:
    """Note that a process that was started is done. Raises: StoreError."""
    with folder_mutex(run):
        record = read_extraction_record(run)
        if record is not None and session in record.sessions:
            write_extraction_record(run, record.finished(session, seconds))


def check_settings(recorded: ExtractionSettings, asked: ExtractionSettings, store: Path) -> None:
    """See that a store that was begun is continued with the settings that it was begun with.

    Raises:
        StoreError: one differs; names it, with both values.
    """
    for name, value in recorded.model_dump().items():
        found = getattr(asked, name)
        if found != value:
            option = "--" + name.replace("_", "-")
            raise StoreError(
                f"{store} was begun with {option} {value}, not {found}; "
                f"give {option} {value} to go on, or choose another --run"
            )
