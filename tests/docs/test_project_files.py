"""The files around the code agree with it: version, licence, citation."""

import re
import tomllib
from pathlib import Path

from latentcomp import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_one_version_and_one_licence_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
    assert re.findall(r"^license: (.+)$", citation, re.MULTILINE) == [project["license"]]
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )


def test_the_changelog_has_a_section_for_this_version():
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in sections
    assert sections[0] == "Unreleased" or sections[0] == __version__
