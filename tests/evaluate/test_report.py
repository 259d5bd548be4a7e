import json
import math
import re
from html.parser import HTMLParser

import pytest

from latentcomp.common import atomic
from latentcomp.common.errors import LatentcompError
from latentcomp.common.record import read_record
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.history import FILE
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.verdict import Verdict
from latentcomp.report import write_report
from latentcomp.report.collect import collect, read_log

from .rows import simulated
from .runs import write_run

VOID = {"meta", "hr", "br", "img", "input", "link"}


class Page(HTMLParser):
    """Elements with their attributes, ids, visible text; checks that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    result = write_run(run)
    path = write_report(run)
    return result, path, path.read_text(encoding="utf-8")


def test_page_says_what_was_found(written):
    result, path, html = written
    text = Page(html).text
    assert path.name == "index.html" and path.parent.name == "report"
    assert f"{100 * result.retention:.0f} % of what this reasoner gets from the full text" in text
    assert (
        f"{result.retention:.3f} [{result.retention_low:.3f}, {result.retention_high:.3f}]" in text
    )
    assert "passed" in text and "self-check holds" in text
    for family, accuracy in result.by_family.items():
        assert family in text and f"{accuracy:.3f}" in text
    assert "Where does Maruna Velt live now?" in text and "stale" in text
    assert "e" * 64 in text  # provenance
    assert "400 steps, 6400 documents" in text
    assert "gate 0.40" in html and "aim 0.70" in html


def test_page_needs_no_network_and_runs_nothing(written):
    _, _, html = written
    page = Page(html)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    for _, attributes in page.elements:
        for name in ("href", "src", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    addresses = set(re.findall(r"https?://[^\"' )]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_figures_follow_the_theme_and_are_described(written):
    _, _, html = written
    page = Page(html)
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(drawings) == 7
    assert all(d["role"] == "img" and d["aria-label"] and d["viewbox"] for d in drawings)
    svg = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []  # every colour is a variable of the page
    used = set(re.findall(r"var\((--\w+)\)", svg))
    assert {"--ink", "--accent", "--warn"} <= used
    assert all(f"{name}:" in html for name in used)
    assert "prefers-color-scheme: dark" in html
    assert "<style" not in svg  # it would reach the whole page


def test_ids_are_unique_and_every_reference_is_met(written):
    _, _, html = written
    ids = Page(html).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)
    assert set(re.findall(r'xlink:href="#([^"]+)"', html)) <= set(ids)


def test_answers_are_escaped(written):
    _, path, html = written
    assert "Bran | <b>" not in html and "Bran | &lt;b&gt;" in html
    assert "Bran \\| <b>" in path.with_name("report.md").read_text()


def test_same_run_same_bytes(written, tmp_path):
    _, path, html = written
    markdown = path.with_name("report.md").read_text()
    write_run(tmp_path)
    again = write_report(tmp_path)
    assert again.read_text() == html
    assert again.with_name("report.md").read_text() == markdown


def test_markdown_twin_tells_the_same(written):
    result, path, _ = written
    text = path.with_name("report.md").read_text()
    assert (
        f"{result.retention:.3f} [{result.retention_low:.3f}, {result.retention_high:.3f}]" in text
    )
    assert "**passed**" in text and "self-check holds" in text
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if re.fullmatch(r"\|[-:|]+\|", line):
            width = line.count("|")
            assert lines[index - 1].count("|") == width
            body = index + 1
            while body < len(lines) and lines[body].startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", lines[body])) == width
                body += 1
            assert body > index + 1


def test_a_failed_self_check_is_the_headline(tmp_path):
    write_run(tmp_path, documents=120, shuffled=0.3, skipped=(1, 2, 3))
    path = write_report(tmp_path)
    text = Page(path.read_text()).text
    assert "These figures cannot be read: shuffled latents beat the floor." in text
    assert "SELF-CHECK FAILED" in text
    assert "survives in latents" not in text
    assert "Phases skipped by flag before this one: 1, 2, 3." in text
    assert "inconclusive" in text


def test_several_phases_are_listed_latest_first(tmp_path):
    write_run(tmp_path, documents=30, phase=1)
    write_run(tmp_path, documents=30, phase=4)
    text = Page(write_report(tmp_path).read_text()).text
    assert text.index("phase 4 ·") < text.index("phase 1 ·")
    assert [story.number for story in collect(tmp_path)] == [4, 1]


def test_every_verdict_of_a_phase_is_listed(tmp_path):
    write_run(tmp_path)
    folder = tmp_path / "phases" / "4"
    held = read_record(Verdict, folder / "verdict.json")
    earlier = held.model_copy(update={"status": "failed", "seed": 6, "reason": "a | b"})
    lines = [one.model_dump_json() for one in (earlier, held)]
    (folder / FILE).write_text("\n".join(lines) + "\n")
    path = write_report(tmp_path)
    for text in (Page(path.read_text()).text, path.with_name("report.md").read_text()):
        assert "Every verdict on this phase here" in text
    (row,) = [
        line for line in path.with_name("report.md").read_text().splitlines() if "a \\|" in line
    ]
    assert row == "| – | 6 | 240 | 4.0 | failed | a \\| b |"


def test_a_verdict_on_other_figures_is_not_shown_as_theirs(tmp_path):
    result = write_run(tmp_path)
    other = result.model_copy(update={"corpus": Source(sha256="c" * 64, path="mine.jsonl")})
    other.write(tmp_path / "phases" / "4" / "evaluation.json")
    text = Page(write_report(tmp_path).read_text()).text
    assert "240 documents of mine.jsonl, 2400 questions" in text
    assert "The verdict of this phase is on other figures than these: passed" in text
    assert "The gate" not in text and "no verdict" in text


def test_what_is_missing_is_left_out(tmp_path):
    """Only a log: trained, not evaluated. Only an evaluation: no verdict, no curve."""
    folder = tmp_path / "phases" / "2"
    lines = [{"step": step, "loss": 1.0 / step} for step in range(1, 30)]
    atomic.write_text(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    rows = [r for r in simulated(documents=3) if r.arm in ("ceiling", "floor")]
    alone = EvaluationResult.from_scores(rows, seed=1, headline="ceiling", resamples=50)
    alone.write(tmp_path / "phases" / "1" / "evaluation.json")
    text = Page(write_report(tmp_path).read_text()).text
    assert "Trained, and not evaluated yet." in text
    assert "The teacher alone answers" in text
    assert "no verdict" in text
    assert "NaN" not in text and "nan" not in text.split()


def test_one_document_or_no_headroom_still_makes_a_page(tmp_path):
    rows = simulated(documents=1, ceiling=0.0, floor=1.0, families=("fact",))
    result = EvaluationResult.from_scores(rows, seed=1, phase=1, resamples=50)
    result.write(tmp_path / "phases" / "1" / "evaluation.json")
    text = Page(write_report(tmp_path).read_text()).text
    assert "Retention cannot be measured here" in text
    assert "self-check not made" in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluation.json", "{"),
        ("verdict.json", "[]"),
        ("run.json", "{'a'"),
        ("log.jsonl", '{"step": 1, "loss": 2.0}\n{"step": "x", "loss": 2.0}\n'),
        ("log.jsonl", '{"step": 1, "loss": 2.0}\nnot json\n'),
    ],
)
def test_damaged_files_are_one_line_with_their_name(tmp_path, name, content):
    write_run(tmp_path, documents=5)
    (tmp_path / "phases" / "4" / name).write_text(content)
    with pytest.raises(LatentcompError, match=re.escape(name)) as caught:
        write_report(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_empty_run_says_what_to_run(tmp_path):
    with pytest.raises(LatentcompError, match="nothing to report.*latentcomp train"):
        write_report(tmp_path)
    with pytest.raises(LatentcompError, match="nothing to report"):
        write_report(tmp_path / "absent")


def test_log_survives_a_kill(tmp_path):
    """Steps repeated after a resumption count once; a torn last line counts not at all."""
    path = tmp_path / "log.jsonl"
    lines = ['{"step": 1, "loss": 3}', '{"step": 2, "loss": 9}', '{"event": "resumed"}']
    lines += ['{"step": 2, "loss": 2, "documents": 32, "seconds": 1.5}', "", '{"step": 3, "lo']
    path.write_text("\n".join(lines))
    points = read_log(path)
    assert [(p.step, p.loss) for p in points] == [(1, 3.0), (2, 2.0)]
    assert (points[1].documents, points[1].seconds) == (32, 1.5)
    assert read_log(tmp_path / "absent.jsonl") == ()


def test_a_loss_that_was_not_finite_is_read_as_nan(tmp_path):
    """`null` as it is written now, `NaN` as older versions wrote it."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": null}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": 2}\n')
    losses = [point.loss for point in read_log(path)]
    assert [math.isnan(loss) for loss in losses] == [True, True, False]
    assert losses[2] == 2.0
