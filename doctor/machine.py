"""What the lab takes of a machine: room on the disk, memory, and a device that computes."""

import os
import shutil
import tempfile
from typing import Final

import torch

from ..common.errors import TeacherError
from ..common.threads import cores
from ..models.loading import resolve_device
from .findings import Finding
from .settings import Settings

DISK_BYTES: Final = 2e9
"""A store of the default 1,000 documents is half a gigabyte; checkpoints and reports are less."""
MEMORY_BYTES: Final = 5.5e9
"""docs/try.md asks for 6 GB, of which a machine shows a little less."""


def check_disk(settings: Settings) -> Finding:
    """Write a file where run folders go, and look how much more there is room for."""
    place = next(path for path in (settings.runs, *settings.runs.parents) if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"latentcomp")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(
            status="failed",
            observed=f"{place.resolve()} cannot be written ({error.strerror or error})",
            next_step="start it in a folder of your own, or give --run one",
        )
    observed = f"{free / 1e9:.1f} GB free for run folders in {place.resolve()}"
    if free < DISK_BYTES:
        return Finding(
            status="failed",
            observed=f"{observed}; the lab takes up to {DISK_BYTES / 1e9:.0f} GB",
            next_step="make room, or give --run a folder on another disk",
        )
    return Finding(status="ok", observed=observed, details={"free_bytes": free})


def check_device(settings: Settings) -> Finding:
    """Multiply two matrices on the device, and see that the machine has the memory."""
    try:
        device = resolve_device(settings.device)
    except TeacherError as error:
        return Finding(status="failed", observed=str(error), next_step="give --device cpu")
    ones = torch.ones(64, 64, device=device)
    if not torch.equal((ones @ ones).cpu(), torch.full((64, 64), 64.0)):
        return Finding(
            status="failed",
            observed=f"{device} multiplies wrongly",
            next_step="give --device cpu, and do not trust this device",
        )
    memory = memory_bytes()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    size = "unknown memory" if memory is None else f"{memory / 1e9:.1f} GB of memory"
    observed = f"{name} computes; {cores()} cores, {size}"
    if memory is not None and memory < MEMORY_BYTES:
        return Finding(
            status="failed",
            observed=f"{observed}, where the lab takes up to {MEMORY_BYTES / 1e9:.1f} GB",
            next_step="take a larger machine, or smaller batches (--batch-size, --batch-tokens)",
        )
    return Finding(status="ok", observed=observed, details={"memory_bytes": memory})


def memory_bytes() -> int | None:
    """Memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None
