"""Wheels from a package index: downloaded by pip, and nothing of them is run."""

import os
import subprocess
import sys
from pathlib import Path

from .errors import LatentcompError


def download_wheel(requirement: str, folder: Path, option: str) -> Path:
    """A wheel, without what it depends on.

    Args:
        requirement: as pip takes it, with its version.
        folder: where it is put; holds no other wheel.
        option: the one that takes a wheel at hand instead, for the message.

    Raises:
        LatentcompError: pip cannot bring it; says what to do without a network.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_plain())
    if done.returncode == 0 and (wheels := list(folder.glob("*.whl"))):
        return wheels[0]
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        reason = "this Python has no pip"
    else:
        errors = [line for line in lines if "ERROR" in line] or lines or ["pip gave no reason"]
        reason = errors[-1]
    raise LatentcompError(
        f"{requirement} cannot be downloaded ({_short(reason)}); run `pip download --no-deps "
        f"{requirement}` where there is a network, and give the wheel with {option}"
    )


def _short(reason: str) -> str:
    return " ".join(reason.split())[:200]


def _plain() -> dict[str, str]:
    """The environment without what would make pip colour its messages."""
    return os.environ | {"NO_COLOR": "1", "PIP_NO_COLOR": "1"}
