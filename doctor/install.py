"""Whether this installation is whole: Python, and every package at a version that is asked for."""

import sys
from collections.abc import Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement

from .findings import Finding
from .settings import Settings

PACKAGE = "latentcomp"
LEAST_PYTHON = (3, 11)


def check_install(settings: Settings) -> Finding:
    """Compare what is installed with what the package says that it needs; extras do not count."""
    del settings
    try:
        needs = [Requirement(line) for line in metadata.requires(PACKAGE) or ()]
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return Finding(
            status="unknown",
            observed=f"{PACKAGE} is not installed as a package, so what it needs is not recorded",
            next_step="`make install` in a checkout, or `pip install latentcomp`",
        )
    needs = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return judge(f"{PACKAGE} {version}", needs, sys.version_info[:2])


def judge(name: str, needs: Iterable[Requirement], python: tuple[int, int]) -> Finding:
    """The finding for these requirements and this Python."""
    needs = tuple(needs)
    wrong = [*_wrong_packages(needs)]
    running = f"Python {python[0]}.{python[1]}"
    if python < LEAST_PYTHON:
        wrong.insert(0, f"{running} where {LEAST_PYTHON[0]}.{LEAST_PYTHON[1]} is the oldest")
    if wrong:
        return Finding(
            status="failed",
            observed=f"{name}: {'; '.join(wrong)}",
            next_step="`make install` in a checkout, or `pip install --upgrade latentcomp`",
        )
    return Finding(
        status="ok",
        observed=f"{running}, {name} with the {len(needs)} packages that it needs",
        details={"packages": {need.name: metadata.version(need.name) for need in needs}},
    )


def _wrong_packages(needs: Iterable[Requirement]) -> Iterator[str]:
    for need in needs:
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield f"{need.name} is missing"
            continue
        if not need.specifier.contains(version, prereleases=True):
            yield f"{need.name} {version} where {need.specifier} is needed"
