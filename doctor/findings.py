"""What a check found: ok, failed, or unknown, always with the next step."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..common.provenance import Provenance

Status = Literal["ok", "failed", "unknown"]


class CheckResult(BaseModel):
    """The outcome of one check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    """Name of the check, such as `memory`."""
    assumption: str
    """What was to be shown."""
    status: Status
    """`unknown` where it could not be looked at here, which is no failure."""
    found: str
    """What was seen, in one line."""
    next_step: str | None = None
    """What to do about it; None where nothing is to be done."""
    details: dict[str, Any] = {}
    """Figures and lists behind it; JSON values."""


class Finding(BaseModel):
    """A verdict before the registry adds whose it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    found: str
    next_step: str | None = None
    details: dict[str, Any] = {}


class Report(BaseModel):
    """All verdicts of one run of the doctor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdicts: tuple[CheckResult, ...]
    provenance: Provenance

    @property
    def failed(self) -> bool:
        """Whether any assumption was found to be false; `unknown` does not count."""
        return any(verdict.status == "failed" for verdict in self.verdicts)
