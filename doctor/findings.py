"""Results of the checks: ok, failed or unknown, with the next step."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..common.provenance import Provenance

Status = Literal["ok", "failed", "unknown"]


class CheckResult(BaseModel):
    """A finding with the check that it belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    """Name of the check, such as `memory`."""
    assumption: str
    """What the check tests."""
    status: Status
    """`unknown` if it cannot be tested on this machine, which is no failure."""
    observed: str
    """Result in one line."""
    next_step: str | None = None
    """What the user can do; None if nothing."""
    details: dict[str, Any] = {}
    """Figures and lists behind the result; JSON values."""


class Finding(BaseModel):
    """Result of a check function; the registry adds name and assumption."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    observed: str
    next_step: str | None = None
    details: dict[str, Any] = {}


class Report(BaseModel):
    """All results of one run of the doctor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdicts: tuple[CheckResult, ...]
    provenance: Provenance

    @property
    def failed(self) -> bool:
        """Whether any check failed; `unknown` does not count."""
        return any(verdict.status == "failed" for verdict in self.verdicts)
