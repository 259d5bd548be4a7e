"""Table of the checks, and running them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..common import provenance
from ..common.errors import UsageError
from .findings import CheckResult, Finding, Report
from .forward import check_forward
from .memory import check_memory
from .server import check_server
from .settings import Settings
from .tokenizers import check_tokenizers


@dataclass(frozen=True, slots=True)
class Check:
    """One assumption and the function that checks it."""

    name: str
    assumption: str
    run: Callable[[Settings], Finding]


CHECKS: Final = (
    Check("server", "a text teacher answers at --teacher-url and has the model", check_server),
    Check("tokenizers", "both models cut text into the same tokens", check_tokenizers),
    Check("memory", "extraction and the control experiment fit on the card", check_memory),
    Check("forward", "hidden states can be extracted and are those named", check_forward),
)
NAMES: Final = tuple(check.name for check in CHECKS)


def examine(settings: Settings, names: Sequence[str] = ()) -> Report:
    """Run all checks, or the named ones.

    Raises:
        UsageError: an unknown name.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--check {name!r} is unknown; give one of {', '.join(NAMES)}")
    chosen = [check for check in CHECKS if not names or check.name in names]
    results = tuple(_run(check, settings) for check in chosen)
    return Report(verdicts=results, provenance=provenance.collect({}, {}))


def _run(check: Check, settings: Settings) -> CheckResult:
    finding = check.run(settings)
    return CheckResult(check=check.name, assumption=check.assumption, **finding.model_dump())
