"""Two runs side by side: paired where the questions are the same, else told why not."""

import re

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.scores import read_answers
from latentcomp.evaluate.side_by_side import rows_of, same_questions
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report.compare import write_comparison

from ..experiment import runs
from ..extract.command_line import run_command
from .test_report import Page

FEW = 24


@pytest.fixture(scope="module", autouse=True)
def small_lab():
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        yield


def made(path, number=4, *, recipe=None, **shares):
    """A run with one evaluation; returns its folder of answers."""
    run = RunFolder(path)
    trial = runs.save_trial(run, recipe or phase(number).recipe)
    return runs.save_evaluation(trial, run, documents=FEW, **shares)


def figures(html):
    """Cells of the rows of figures, by their first one."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return {each[0]: each[1:] for each in cells if each}


def test_differences_are_paired_where_the_documents_are_the_same(tmp_path):
    other = phase(4).recipe.changed({"model.time": False})
    one = made(tmp_path / "a", compressed=0.8)
    two = made(tmp_path / "b", compressed=0.5, recipe=other)
    html = write_comparison(tmp_path / "a", tmp_path / "b").read_text()
    page, rows = Page(html), figures(html)
    assert "differences are paired" in page.text and "cannot be paired" not in page.text
    found = rows_of(read_answers(one.answers), read_answers(two.answers), seed=7)
    named = {row.name: row for row in found}
    gain = named["accuracy, compressed"].difference
    assert (
        gain is not None
        and gain.low > 0.1
        and gain.point
        == pytest.approx(
            named["accuracy, compressed"].first.point - named["accuracy, compressed"].second.point
        )
    )
    assert f"{gain.point:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" in rows["accuracy, compressed"]
    same = named["accuracy, ceiling"].difference
    assert same is not None and (same.low, same.point, same.high) == (0, 0, 0)
    assert rows["recipe: model.time"] == ["True", "False"]
    assert not {"ratio", "scorer", "reasoner", "hash of the documents"} & rows.keys()


def test_paired_is_narrower_than_either_side_for_the_same_answers(tmp_path):
    """The reason to pair: what documents have in common falls out."""
    one = made(tmp_path / "a", compressed=0.7)
    rows = read_answers(one.answers)
    row = {each.name: each for each in rows_of(rows, rows, seed=1)}["retention"]
    assert row.difference is not None and row.difference.high == row.difference.low == 0
    assert row.first.high - row.first.low > 0.01


@pytest.mark.parametrize("changed", [{"seed": 8}, {"documents": FEW + 4}])
def test_other_documents_are_told_and_get_no_difference(tmp_path, changed):
    made(tmp_path / "a")
    run = RunFolder(tmp_path / "b")
    trial = runs.save_trial(run, phase(4).recipe)
    runs.save_evaluation(trial, run, **{"documents": FEW} | changed)
    html = write_comparison(tmp_path / "a", tmp_path / "b").read_text()
    assert "cannot be paired: they were asked about other documents" in Page(html).text
    assert "A − B" not in html
    assert all(len(figures(html)[name]) == 2 for name in ("retention", "accuracy, compressed"))


def test_an_older_evaluation_on_the_same_documents_is_taken_rather_than_none(tmp_path):
    made(tmp_path / "a")
    run = RunFolder(tmp_path / "b")
    trial = runs.save_trial(run, phase(4).recipe)
    for seed in (7, 8):
        runs.save_evaluation(trial, run, documents=FEW, seed=seed)
    page = write_comparison(tmp_path / "a", tmp_path / "b", tmp_path / "page.html")
    assert page == tmp_path / "page.html"
    assert "differences are paired" in Page(page.read_text()).text


def test_questions_that_are_not_all_the_same(tmp_path):
    rows = read_answers(made(tmp_path / "a").answers)
    (document, question) = rows[0].document_id, rows[0].question_id
    fewer = [row for row in rows if (row.document_id, row.question_id) != (document, question)]
    count = len({(row.document_id, row.question_id) for row in rows})
    assert same_questions(rows, rows) == ""
    assert same_questions(rows, fewer).startswith(f"{count - 1} of {count} questions")
    assert all(row.difference is None for row in rows_of(rows, fewer, seed=1))
    other = [row for row in rows if row.document_id == document]
    rest = [row for row in rows if row.document_id != document]
    assert same_questions(other, rest) == "they have no question in common"


def test_the_page_needs_nothing_and_names_what_one_run_alone_has(tmp_path):
    made(tmp_path / "a<b>")
    made(tmp_path / "b")
    made(tmp_path / "b", number=1)
    html = write_comparison(tmp_path / "a<b>", tmp_path / "b").read_text()
    page = Page(html)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe"})
    assert "a<b>" not in html and "a&lt;b&gt;" in html
    assert f"phase 1, control: evaluated in {tmp_path / 'b'} only" in page.text


def test_refusals_are_one_line(capsys, tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "b", number=1)
    with pytest.raises(LatentcompError, match="the same folder"):
        write_comparison(tmp_path / "a", tmp_path / "a")
    for other, said in (("b", "no phase was evaluated in both"), ("c", "no such run folder")):
        ran = run_command(capsys, "report", "--compare", tmp_path / "a", tmp_path / other)
        assert ran.code == 2 and said in ran.error and "\n" not in ran.error.strip()
    assert not (tmp_path / "a" / "report").exists()
    ran = run_command(capsys, "report", "--compare", tmp_path / "a")
    assert ran.code == 2


def test_the_command_names_the_page(capsys, tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "b")
    ran = run_command(capsys, "report", "--compare", tmp_path / "a", tmp_path / "b")
    assert ran.code == 0 and "compare.html: open it in a browser" in " ".join(ran.out.split())
    assert (tmp_path / "a" / "report" / "compare.html").is_file()
