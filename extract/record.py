"""`extract.json` of a run: settings that affect the bits of the store, and its sessions.

It lies outside the store, so that two equal stores may differ in it.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..common.atomic import write_json
from ..common.errors import StoreError
from ..common.lock import folder_mutex
from ..common.provenance import Provenance
from .self_test_record import SelfTest

RECORD = "extract.json"


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExtractionSettings(_FrozenModel):
    """Settings that affect the last bits of the states; a resumed run must have the same."""

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
    """One start of the command."""

    provenance: Provenance
    documents: int
    """Documents that were left to extract when it started, by all ranks together."""
    computed_tokens: int
    """Tokens that the teacher was to compute, padding included."""
    rank: int = 0
    """Of this process among those that filled the store together."""
    world: int = 1
    """Number of those processes."""
    self_test: SelfTest | None = None
    """What it passed before it began; None in sessions up to 0.2."""
    seconds: float | None = None
    """Time from the first batch to the finished store; None for a killed session."""


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
            f"{file} cannot be read ({type(error).__name__}); put the file back, or choose "
            "another --run"
        ) from error


def write_extraction_record(run: Path, record: ExtractionRecord) -> None:
    """Write the record atomically.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    write_json(run / RECORD, record.model_dump(mode="json"))


def start_session(run: Path, settings: ExtractionSettings, session: Session) -> None:
    """Add a session to the record; ranks that share the run are serialised by a lock.

    Raises:
        StoreError: the record is damaged or cannot be written.
    """
    with folder_mutex(run):
        record = read_extraction_record(run)
        if record is None or record.settings != settings:
            record = ExtractionRecord(settings=settings)
        write_extraction_record(run, record.started(session))


def end_session(run: Path, session: Session, seconds: float) -> None:
    """Write the duration of a finished session into the record. Raises: StoreError."""
    with folder_mutex(run):
        record = read_extraction_record(run)
        if record is not None and session in record.sessions:
            write_extraction_record(run, record.finished(session, seconds))


def check_settings(
    recorded: ExtractionSettings, requested: ExtractionSettings, store: Path
) -> None:
    """Check that an existing store is continued with its own settings.

    Raises:
        StoreError: one differs; names it, with both values.
    """
    for name, value in recorded.model_dump().items():
        other = getattr(requested, name)
        if other != value:
            option = "--" + name.replace("_", "-")
            raise StoreError(
                f"{store} was begun with {option} {value}, not {other}; "
                f"give {option} {value} to go on, or choose another --run"
            )
