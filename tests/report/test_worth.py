"""CE utilisation in the report: what leads, what stands beside it, and what is refused."""

from html.parser import HTMLParser

import pytest

from latentcomp.commands.utilisation import write_costs
from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import CONTINUATION
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.utilisation.measure import Costs
from latentcomp.evaluate.utilisation.result import UtilisationResult, figures_of
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import write_report
from latentcomp.report.worth import worths

from ..evaluate.test_utilisation import NATS, rows_of

CORPUS = "ab" * 32


def keep(run, ratio, nats, name, ends=None, corpus=CORPUS, notes=()):
    """A measurement as `latentcomp utilisation` keeps it."""
    rows = rows_of({**NATS, "compressed": nats}, documents=20, age=1)
    rows += rows_of({**NATS, "compressed": nats}, "as_of", documents=20, length=600, age=4)
    if ends is not None:
        rows += rows_of({**NATS, "compressed": ends}, CONTINUATION, documents=20)
    folder = run / "trials" / "real" / "seed-0" / "utilisation" / name
    write_costs(folder / "costs.parquet", Costs(rows))
    source = Source(sha256=corpus)
    result = UtilisationResult(name="real/seed-0", corpus=source, **figures_of(rows, None, seed=0))
    kept = result.model_copy(update={"ratio": ratio, "notes": notes})
    kept.write(folder / "utilisation.json")
    return folder / "utilisation.json"


class Words(HTMLParser):
    """The visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.words = []
        self.feed(text)

    def handle_data(self, data):
        self.words.append(data)


def page_of(run):
    page = write_report(run)
    return " ".join(" ".join(Words(page.read_text()).words).split()), page


def test_continuations_lead_and_questions_stand_beside_them(tmp_path):
    keep(tmp_path, 8.0, 3.0, "b", ends=3.4)
    keep(tmp_path, 4.0, 2.0, "a", ends=2.4, notes=("few documents",))
    text, page = page_of(tmp_path)
    assert "0.65 [0.65, 0.65] at 4x, 0.40 [0.40, 0.40] at 8x of what the whole" in text
    assert "Over questions and continuations together: 0.72 [0.72, 0.72] at 4x, 0.47" in text
    assert "Few documents." in text and "self-check holds" in text
    assert "another's latents -0.12 [-0.12, -0.12] -0.12 [-0.12, -0.12]" in text
    assert "as_of 20 1.00 5.00 2.00 3.00" in text
    assert text.count("CE utilisation by") == 2, "by length, and by age"
    twin = page.with_name("report.md").read_text()
    assert "| its latents | 0.72 [0.72, 0.72] | 0.47 [0.47, 0.47] |" in twin


def test_without_continuations_all_families_lead(tmp_path):
    keep(tmp_path, 4.0, 2.0, "a")
    text, _ = page_of(tmp_path)
    assert "0.75 [0.75, 0.75] at 4x of what the whole document saves." in text
    assert "Over questions" not in text


def test_the_newest_measurement_of_a_ratio_counts_and_corpora_stay_apart(tmp_path):
    keep(tmp_path, 4.0, 4.0, "a")
    keep(tmp_path, 4.0, 2.0, "b")
    keep(tmp_path, 4.0, 3.0, "c", corpus="cd" * 32)
    one, other = worths(RunFolder(tmp_path))
    assert [each.cells[0].utilisation["compressed"].point for each in (one, other)] == [
        pytest.approx(0.75), pytest.approx(0.5),
    ]  # fmt: skip


def test_a_damaged_measurement_is_named(tmp_path):
    keep(tmp_path, 4.0, 2.0, "a").write_text("{")
    with pytest.raises(LatentcompError, match=r"utilisation\.json"):
        write_report(tmp_path)


def test_nothing_at_all_is_refused(tmp_path):
    with pytest.raises(LatentcompError, match="nothing to report"):
        write_report(tmp_path)
