"""Links between pages lead somewhere, headings included; and the site has every page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from latentcomp.tools.docs import copy_pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "store/*.md", "extract/**/*.md", "train/*.md")
    for path in ROOT.glob(pattern)
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(path):
    """Anchors of the headings of a page, as renderers make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[(.+?)\]\(.+?\)", r"\1", title).replace("`", "").lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


def broken(path, root=ROOT):
    """Links of a page that lead nowhere."""
    for link in LINK.findall(CODE.sub("", path.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        lost = not target.exists() or root not in (target, *target.parents)
        if lost or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert list(broken(page)) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "a.md"
    page.write_text(
        "# One two\n[x](#one-two) [x](#three) [x](b.md) [x](a.md#one-two) `[x](c.md)`\n"
    )
    assert list(broken(page, tmp_path)) == ["#three", "b.md"]


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    listed = re.findall(r"- ([\w./-]+\.md)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in PAGES)


def test_links_stay_as_they_are_in_the_copy(tmp_path):
    copied = copy_pages(tmp_path / "docs")
    pages = [path for path in copied if path.suffix == ".md"]
    assert len(pages) >= len(PAGES)
    for page in pages:
        assert list(broken(page, tmp_path / "docs")) == [], page


@pytest.mark.slow
def test_the_site_is_built_without_a_warning():
    pytest.importorskip("material")
    command = [sys.executable, "-m", "latentcomp.tools.docs"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
