"""The pages as a site: `make docs` copies them to build/docs and lets mkdocs build build/site.

mkdocs reads one folder, and the pages of this repository lie beside what they describe. So they
are copied with their folders, and links between them stay as they are.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COPIED: Final = ("*.md", "docs/**/*", "store/*.md", "extract/**/*.md", "train/*.md", "LICENSE")
"""Pages and what they show."""
ALSO: Final = ("CITATION.cff", "Dockerfile")
"""Other files that pages link to."""


def copy_pages(target: Path) -> list[Path]:
    """Copy every page into a folder that is made anew; returns their paths in it."""
    shutil.rmtree(target, ignore_errors=True)
    files = [file for pattern in COPIED for file in ROOT.glob(pattern) if file.is_file()]
    copied = []
    for file in [*files, *(ROOT / name for name in ALSO)]:
        place = target / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        copied.append(place)
    return copied


def main() -> None:
    """Copy and build; a link that leads nowhere is an error."""
    copy_pages(ROOT / "build" / "docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        print("build/site/README.html or build/site/index.html: open it in a browser")
    sys.exit(code)


if __name__ == "__main__":
    main()
