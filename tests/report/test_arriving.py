"""What the report says of documents that arrive: figures by step, and against another phase."""

import pytest

from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import trends, write_report
from latentcomp.report.arriving import LABELS, past_rows
from latentcomp.report.collect import collect

from ..experiment import runs
from .test_report import Page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        runs.ask_on_the_way(patch)
        folder = RunFolder(tmp_path_factory.mktemp("arriving") / "run")
        for number, right in ((5, 0.9), (6, 0.8)):
            runs.save_phase(folder, number, (0, 1, 2), steps=phase(6).steps, compressed=right)
        judge_phase(folder, 6)
        write_report(folder.path)
        yield folder


@pytest.fixture(scope="module")
def story(run):
    return next(each for each in collect(run.path) if each.number == 6)


def test_every_cell_has_a_row_with_the_ceiling_and_intervals(run, story):
    rows = past_rows(story.evaluation)
    assert {what for what, *_ in rows} == set(LABELS.values())
    text = (run.path / "report" / "report.md").read_text()
    page = Page((run.path / "report" / "index.html").read_text()).text
    for what, name, cell in rows:
        begin = f"| {what} | {name} | {cell.questions} |"
        line = next(each for each in text.splitlines() if each.startswith(begin))
        for interval in (cell.accuracy["ceiling"], cell.accuracy["compressed"]):
            assert f"{interval.point:.3f} [{interval.low:.3f}, {interval.high:.3f}]" in line
        assert f"{what} {name} {cell.questions} " in page
    assert "24 held-out documents in" in text and "asked more than once, last minus first" in text
    assert "<svg" in trends.steps(story.evaluation)


def test_the_memory_that_keeps_less_is_below_cell_by_cell(run, story):
    assert set(story.against) == set(LABELS)
    cells = [cell for part in story.against.values() for cell in part.values()]
    assert all(cell.gain.point < 0.02 for cell in cells)
    total = sum(cell.gain.n for cell in story.against["steps"].values())
    assert total == story.evaluation.questions
    for cell in cells:
        assert cell.gain.point == pytest.approx(cell.retention.point - cell.reference.point)
        assert cell.gain.clusters <= runs.DOCUMENTS
    for name in ("report.md", "index.html"):
        assert "Against phase 5 on the same questions" in (run.path / "report" / name).read_text()


def test_a_phase_on_whole_documents_is_held_against_nothing_here(run):
    five = next(each for each in collect(run.path) if each.number == 5)
    assert five.against == {} and five.verdict is None
