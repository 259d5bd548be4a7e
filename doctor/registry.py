"""Table of the checks, and running them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..common import provenance
from .engine import check_engine
from .findings import CheckResult, Finding, Report
from .forward import check_forward
from .install import check_install
from .lab_models import check_models
from .machine import check_device, check_disk
from .memory import check_memory
from .names import LAB, check_names
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
    Check("install", "Python and every package are those that are asked for", check_install),
    Check("models", "the models of the lab that ship are there and whole", check_models),
    Check("forward", "hidden states can be extracted and are those named", check_forward),
    Check("disk", "run folders can be written, and there is room for them", check_disk),
    Check("device", "the device computes, and the machine has the memory", check_device),
    Check("server", "a text teacher answers at --teacher-url and has the model", check_server),
    Check("tokenizers", "both models cut text into the same tokens", check_tokenizers),
    Check("memory", "extraction and the control experiment fit on the card", check_memory),
    Check("engine", "states can be extracted by vLLM, or by transformers instead", check_engine),
)
"""In the order of `NAMES`."""


def examine(settings: Settings, names: Sequence[str] = LAB) -> Report:
    """Run the named checks, in the order of the table.

    Raises:
        UsageError: an unknown name.
    """
    check_names(names)
    results = tuple(_run(check, settings) for check in CHECKS if check.name in names)
    return Report(verdicts=results, provenance=provenance.collect({}, {}))


def _run(check: Check, settings: Settings) -> CheckResult:
    finding = check.run(settings)
    return CheckResult(check=check.name, assumption=check.assumption, **finding.model_dump())
