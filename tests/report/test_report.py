"""The report of a run: one page that needs no network, and its Markdown twin."""

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.samples import Sample, SampleAnswer
from latentcomp.evaluate.scores import read_answers, read_source, write_answers
from latentcomp.experiment import phases
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import trends, write, write_report
from latentcomp.report.collect import collect, read_log

from ..experiment import runs

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


SAMPLES = (
    Sample(
        document_id="test-7-000003",
        question_id="q1",
        family="latest",
        question="Where does Maruna Velt live now?",
        answer="Oslar",
        stale_answers=("Bran | <b>",),
        evidence=("Day 31. Maruna Velt moved to Oslar.",),
        answers={
            "compressed": SampleAnswer(prediction="Bran | <b>", correct=False, stale=True),
            "ceiling": SampleAnswer(prediction="Oslar", correct=True, stale=False),
        },
    ),
)


@pytest.fixture(scope="module")
def small_lab():
    """Documents that are made quickly, for this module."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        yield


def make_run(path, number=4, documents=runs.DOCUMENTS, *, judged=True, skipped=(), **shares):
    """A run folder with one trial of a phase, its curve and evaluation; returns the result."""
    run = RunFolder(path)
    trial = runs.save_trial(run, phase(number).recipe, skipped=skipped)
    runs.save_curve(trial)
    folder = runs.save_evaluation(trial, run, documents=documents, samples=SAMPLES, **shares)
    if judged:
        judge_phase(run, number)
    return EvaluationResult.read(folder.result)


@pytest.fixture(scope="module")
def made_once(small_lab, tmp_path_factory):
    """A run folder whose phase 4 passed, and its result; not to be written to."""
    path = tmp_path_factory.mktemp("made") / "run"
    return path, make_run(path)


@pytest.fixture
def made(made_once, tmp_path):
    """A copy of it."""
    return shutil.copytree(made_once[0], tmp_path / "run")


@pytest.fixture(scope="module")
def written(made_once, tmp_path_factory):
    run = shutil.copytree(made_once[0], tmp_path_factory.mktemp("written") / "run")
    path = write_report(run)
    return made_once[1], path, path.read_text(encoding="utf-8")


@pytest.fixture
def undrawn(monkeypatch):
    """Without figures, which take seconds: for tests that look at the text alone."""
    monkeypatch.setattr(write, "plates", lambda story: [])


def markdown_of(run):
    return write_report(run).with_name("report.md").read_text()


def test_the_page_says_what_was_measured(written):
    result, path, html = written
    text = Page(html).text
    assert path.name == "index.html" and path.parent.name == "report"
    assert f"{100 * result.retention:.0f} % of what this reasoner gets from the full text" in text
    assert (
        f"{result.retention:.3f} [{result.retention_low:.3f}, {result.retention_high:.3f}]" in text
    )
    assert "Passed: retention" in text and "self-check" in text
    for family, accuracy in result.by_family.items():
        assert family in text and f"{accuracy:.3f}" in text
    assert "Where does Maruna Velt live now?" in text and "stale" in text
    assert "e" * 64 in text  # provenance
    assert "400 steps, 6400 documents" in text
    assert "gate 0.40" in html and "aim 0.70" in html


def test_figures_by_form_and_their_like_are_a_line_each(made, monkeypatch):
    assert "By form" not in markdown_of(made), "these documents do not say any"
    monkeypatch.setattr(write, "break_lines", lambda result: ["by form: number 0.5", "two < three"])
    page, text = write_report(made).read_text(encoding="utf-8"), markdown_of(made)
    assert "By form: number 0.5." in page and "Two &lt; three." in page
    assert "By form: number 0.5.\n\nTwo < three.\n" in text


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
    labels = {attributes["aria-label"] for attributes in drawings}
    assert len(labels) == len(drawings) == 9
    assert {"Accuracy by chunks behind the evidence", "Accuracy by replaced values"} <= labels
    assert all(d["role"] == "img" and d["aria-label"] and d["viewbox"] for d in drawings)
    svg = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []  # every colour is a variable of the page
    used = set(re.findall(r"var\((--\w+)\)", svg))
    assert {"--ink", "--accent", "--warn"} <= used
    assert all(f"{name}:" in html for name in used)
    assert "prefers-color-scheme: dark" in html
    printed = html.partition("@media print {")[2].partition("</style>")[0]
    assert ".scroll { overflow: visible; }" in printed, "paper does not scroll: a table was cut"
    assert "<style" not in svg  # it would reach the whole page


def test_what_is_not_known_is_not_drawn(written):
    """Of age, of overrides and of forms there is a figure where there are two, or any."""
    result, _, _ = written
    assert trends.ages(result) and trends.overrides(result) and not trends.forms(result)
    cell = result.families["latest"]
    assert "name" in trends.forms(result.model_copy(update={"forms": {"name": cell}}))
    unknown = result.model_copy(update={"past": None, "buckets": {}})
    assert not any(draw(unknown) for draw in (trends.ages, trends.overrides, trends.buckets))
    assert result.past is not None
    one = result.past.model_copy(update={"ages": {"0": cell}, "overrides": {"0": cell}})
    alone = result.model_copy(update={"past": one})
    assert not trends.ages(alone) and not trends.overrides(alone)


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


def test_same_run_same_bytes(written, made):
    _, path, html = written
    markdown = path.with_name("report.md").read_text()
    again = write_report(made)
    assert again.read_text() == html
    assert again.with_name("report.md").read_text() == markdown


def test_markdown_twin_tells_the_same(written):
    result, path, _ = written
    text = path.with_name("report.md").read_text()
    assert (
        f"{result.retention:.3f} [{result.retention_low:.3f}, {result.retention_high:.3f}]" in text
    )
    assert "## Phase 4: Passed: retention" in text and "self-check" in text
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


@pytest.mark.usefixtures("undrawn")
def test_a_failed_self_check_is_the_headline(small_lab, tmp_path):
    make_run(tmp_path, shuffled=0.35, skipped=(1, 2, 3))
    path = write_report(tmp_path)
    text = Page(path.read_text()).text
    assert "These figures cannot be read: shuffled latents beat the floor (" in text
    assert "SELF-CHECK FAILED" in text
    assert "survives in latents" not in text
    assert "phases 1, 2, 3 lacked the verdict that the order asks for." in text
    assert "Inconclusive: the self-check of the instrument does not hold" in text
    assert "not judged" in text and 'class="text passed"' not in path.read_text()


THIN = ((2, False), (4, False), (24, True))
"""Documents, and whether the gate is the plan's own, which asks for 200."""


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("documents", "plan"), THIN)
def test_an_evaluation_below_the_minima_leads_with_its_verdict(
    small_lab, tmp_path, monkeypatch, documents, plan
):
    """The page stated the share as a finding, and its criteria as passed in green."""
    if plan:
        four = phase(4)
        least = replace(four.gate, minimum=replace(four.gate.minimum, documents=200))
        monkeypatch.setattr(
            phases,
            "PHASES",
            tuple(replace(p, gate=least) if p is four else p for p in phases.PHASES),
        )
    result = make_run(tmp_path, documents=documents, compressed=0.9)
    least_documents = phase(4).gate.minimum.documents
    page = write_report(tmp_path)
    html, text = page.read_text(), Page(page.read_text()).text
    head = f"Inconclusive: {documents} documents, the plan asks for at least {least_documents}."
    share = f"{100 * result.retention:.0f} % of what this reasoner gets"
    assert f'<h1 class="inconclusive">{head}</h1>' in html
    assert text.index(head) < text.index(share)
    assert f"({documents} documents, {result.questions} questions, 95 % interval" in text
    assert text.count("below its minima, not judged") == len(phase(4).gate.criteria)
    assert 'class="text passed"' not in html and 'class="text grey"' in html
    if documents < 20:
        assert 'class="box good"' not in html and "self-check open" in text
    markdown = page.with_name("report.md").read_text()
    assert markdown.index(f"## Phase 4: {head[:-1]}") < markdown.index(share)
    assert markdown.count("below its minima, not judged") == len(phase(4).gate.criteria)
    assert "| passed |" not in markdown


@pytest.mark.usefixtures("undrawn")
def test_figures_that_nobody_judged_lead_with_that(small_lab, tmp_path):
    make_run(tmp_path, documents=4, judged=False, unjudged="the documents were given")
    html = write_report(tmp_path).read_text()
    assert '<h1 class="open">No verdict: the documents were given.</h1>' in html
    assert '<dl class="keys grey">' in html


@pytest.mark.usefixtures("undrawn")
def test_a_failed_phase_says_so_first(small_lab, tmp_path):
    make_run(tmp_path, compressed=0.2)
    html = write_report(tmp_path).read_text()
    assert '<h1 class="failed">Failed: retention' in html and 'class="text failed"' in html


@pytest.mark.usefixtures("undrawn")
def test_several_phases_are_listed_latest_first(small_lab, tmp_path):
    make_run(tmp_path, 1, documents=8)
    make_run(tmp_path, 4, documents=8)
    text = Page(write_report(tmp_path).read_text()).text
    assert text.index("phase 4 ·") < text.index("phase 1 ·")
    assert [story.number for story in collect(tmp_path)] == [4, 1]


@pytest.mark.usefixtures("undrawn")
def test_every_verdict_of_a_phase_is_listed(made):
    run = RunFolder(made)
    (held,) = read_history(run, 4)
    earlier = held.model_copy(
        update={"status": "inconclusive", "seed": 6, "reason": "a | b", "counts": False}
    )
    lines = [one.model_dump_json() + "\n" for one in (earlier, held)]
    run.verdicts(4).write_text("".join(lines))
    path = write_report(made)
    for text in (Page(path.read_text()).text, path.with_name("report.md").read_text()):
        assert "Every verdict on this phase here" in text
    (row,) = [
        line for line in path.with_name("report.md").read_text().splitlines() if "a \\|" in line
    ]
    weights = str(held.checkpoint_sha256)[:12]
    assert row == f"| {weights} | 6 | {runs.DOCUMENTS} | 4.0 | inconclusive | a \\| b |"


@pytest.mark.usefixtures("undrawn")
def test_the_page_leads_with_the_evaluation_of_the_verdict_and_lists_the_others(made):
    """A later one, on other documents, displaces nothing."""
    run = RunFolder(made)
    trial = run.trial("phase-4", 0)
    runs.save_evaluation(trial, run, documents=8, seed=99, unjudged="a reason")
    text = markdown_of(made)
    assert "## Phase 4: Passed: " in text
    assert f"{runs.DOCUMENTS} held-out documents, seed 7" in text.split("### Other evaluations")[0]
    row = next(line for line in text.splitlines() if line.startswith("| phase-4/seed-0 |"))
    assert "| 8 held-out documents, seed 99 | 4 |" in row and row.endswith("| a reason |")


@pytest.mark.usefixtures("undrawn")
def test_edited_answers_are_shown_as_they_score_and_remarked(made):
    run = RunFolder(made)
    (folder,) = run.trial("phase-4", 0).evaluations()
    rows = [replace(row, correct=True) for row in read_answers(folder.answers)]
    write_answers(folder.answers, rows, read_source(folder.answers))
    before = EvaluationResult.read(folder.result)
    text = markdown_of(made)
    assert f"{before.retention:.3f} [" in text
    assert "unlocks nothing any more" in text and "answers were changed since" in text


@pytest.mark.usefixtures("undrawn")
def test_an_edited_evaluation_is_shown_as_its_answers_score_and_remarked(made):
    run = RunFolder(made)
    (folder,) = run.trial("phase-4", 0).evaluations()
    record = json.loads(folder.result.read_text())
    real = record["overall"]["retention"]["compressed"]["point"]
    record["overall"]["retention"]["compressed"] |= {"point": 0.876, "low": 0.871, "high": 0.881}
    record["retention"] = 0.876
    folder.result.write_text(json.dumps(record))
    page = write_report(made)
    for text in (Page(page.read_text()).text, page.with_name("report.md").read_text()):
        assert f"{real:.3f} [" in text and "0.876" not in text and "88 %" not in text
        assert "was changed after it was written" in text


def test_what_is_missing_is_left_out(small_lab, tmp_path):
    """Only a curve: trained, not evaluated. Only an evaluation: no verdict, no curve."""
    run = RunFolder(tmp_path)
    runs.save_curve(runs.save_trial(run, phase(2).recipe), steps=29)
    trial = runs.save_trial(run, phase(1).recipe)
    runs.save_evaluation(trial, run, documents=4)
    text = Page(write_report(tmp_path).read_text()).text
    assert "trained, and not evaluated yet." in text.lower()
    assert "No verdict: " in text
    assert "NaN" not in text and "nan" not in text.split()


def test_no_headroom_still_makes_a_page(small_lab, tmp_path):
    make_run(tmp_path, 1, documents=2, judged=False, ceiling=0.0, compressed=0.0)
    text = Page(write_report(tmp_path).read_text()).text
    assert "Retention cannot be measured here" in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluation.json", "{"),
        ("answers.parquet", "PAR1"),
        ("phase-4.jsonl", "[]\n"),
        ("trial.json", "{'a'"),
        ("log.jsonl", '{"step": 1, "loss": 2.0}\n{"step": "x", "loss": 2.0}\n'),
        ("log.jsonl", '{"step": 1, "loss": 2.0}\nnot json\n'),
    ],
)
def test_damaged_files_are_one_line_with_their_name(made, name, content):
    (file,) = made.rglob(name)
    file.write_text(content)
    with pytest.raises(LatentcompError, match=re.escape(name)) as caught:
        write_report(made)
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
