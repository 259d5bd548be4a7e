"""Records on disk: frozen, strict, NaN as null, damage reported in one line."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import LatentcompError

RecordT = TypeVar("RecordT", bound=BaseModel)


class Record(BaseModel):
    """Immutable, refuses unknown fields, writes NaN as null."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


def read_record(kind: type[RecordT], path: Path) -> RecordT:
    """Reads a JSON file into a pydantic record.

    Raises:
        LatentcompError: the file is missing, unreadable or not such a record; one line.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LatentcompError(
            f"{path}: cannot be read ({error.strerror}); run `latentcomp evaluate` first"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise LatentcompError(
            f"{path}: not a {kind.__name__}: {where}: {first['msg']}; "
            "run `latentcomp evaluate` again"
        ) from error
