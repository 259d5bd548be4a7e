"""What is kept at each ratio: which evaluations belong together, and the words of the plan."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.stats import Interval
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import ratios, write_report
from latentcomp.report.ratios import (
    CATASTROPHIC,
    LARGE,
    NO_LOSS,
    OPEN,
    at_ratios,
    beside_text,
    drawn,
    word_of,
)

from ..experiment import runs

PLAN = Path(ratios.__file__).parents[1] / "docs" / "experiment_plan.md"


def span(low, high):
    point = (low + high) / 2
    return Interval(point=point, low=low, high=high, n=9, clusters=9, resamples=9, seed=0)


@dataclass
class Overall:
    retention: dict[str, Interval] = field(default_factory=dict)


@dataclass
class Check:
    passed: bool | None = True


@dataclass
class Result:
    """What the words look at."""

    low: float = 0.8
    high: float = 0.9
    documents: int = 200
    questions: int = 1500
    passed: bool | None = True
    above_text: dict[str, Interval] = field(default_factory=dict)

    @property
    def overall(self):
        return Overall({"compressed": span(self.low, self.high)})

    @property
    def checks(self):
        return {"shuffled_at_floor": Check(self.passed)}


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (Result(0.71, 0.9), NO_LOSS),
        (Result(0.70, 0.9), OPEN),
        (Result(0.69, 0.9), OPEN),
        (Result(0.41, 0.69), LARGE),
        (Result(0.39, 0.69), OPEN),
        (Result(0.41, 0.71), OPEN),
        (Result(0.1, 0.39), CATASTROPHIC),
        (Result(-0.1, 0.0), CATASTROPHIC),
        (Result(0.1, 0.40), OPEN),
        (Result(math.nan, math.nan), OPEN),
        (Result(documents=199), OPEN),
        (Result(questions=1499), OPEN),
        (Result(passed=False), OPEN),
        (Result(passed=None), OPEN),
    ],
)
def test_a_word_needs_the_whole_interval_and_enough_evidence(result, word):
    assert word_of(result) == word


def test_the_words_are_those_of_the_plan_with_the_thresholds_of_phase_4():
    text = PLAN.read_text().partition("## 5b.")[2].partition("\n## ")[0]
    gate = phase(4).gate
    said = dict(re.findall(r"\*([a-z ]+)\* where ([^,.]+(?:\.\d+[^,.]*)*)", text))
    assert set(said) == {NO_LOSS, LARGE, CATASTROPHIC, OPEN}
    least, aim = f"{gate.criteria[0].threshold:.2f}", f"{gate.aim:.2f}"
    assert f"above {aim}" in said[NO_LOSS] and f"below {least}" in said[CATASTROPHIC]
    assert f"between {least} and {aim}" in said[LARGE]
    assert f"{ratios.MINIMUM.documents} documents and {ratios.MINIMUM.questions:,} questions" in (
        text
    )


@pytest.mark.parametrize(
    ("above", "words"),
    [
        ({}, ""),
        ({"summary": span(0.3, 0.4), "oracle": span(0.1, 0.2)}, "above oracle (chunks that tell)"),
        (
            {"summary": span(0.3, 0.4), "oracle": span(-0.1, 0.2)},
            "tied with oracle (chunks that tell)",
        ),
        ({"summary": span(-0.4, -0.3)}, "below summary (as many tokens)"),
        ({"summary": span(math.nan, math.nan)}, ""),
    ],
)
def test_the_text_that_comes_nearest_is_named(above, words):
    assert beside_text(Result(above_text=above)) == words  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A run with one trial at three ratios, and others that do not belong to them."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        run = RunFolder(tmp_path_factory.mktemp("three") / "run")
        trial = runs.save_trial(run, phase(4).recipe)
        runs.save_curve(trial)
        runs.save_evaluation(trial, run, ratio=2.0, seed=8, samples=())  # of other documents
        shares = {8.0: 0.5, 16.0: 0.3, 4.0: 0.9}
        folders = [
            runs.save_evaluation(
                trial, run, ratio=ratio, compressed=share, summary=0.2 + share / 4, samples=()
            )
            for ratio, share in shares.items()
        ]
        yield run, [EvaluationResult.read(folder.result) for folder in folders]


def test_only_the_same_weights_on_the_same_documents_stand_side_by_side(three):
    _, (eight, sixteen, four) = three
    other = four.model_copy(update={"ratio": 2.0, "checkpoint_sha256": "f" * 64})
    elsewhere = four.corpus.model_dump() | {"sha256": "e" * 64}
    moved = four.model_copy(update={"ratio": 3.0, "corpus": Source(**elsewhere)})
    unknown = four.model_copy(update={"ratio": 5.0, "corpus": None})
    lenient = four.model_copy(update={"ratio": 6.0, "scorer": "squad"})
    older = eight.model_copy(update={"documents": eight.documents, "seed": 99})
    rows = at_ratios(four, [sixteen, eight, older, other, moved, unknown, lenient])
    assert [row.result.ratio for row in rows] == [4.0, 8.0, 16.0]
    assert rows[1].result is eight, "of two at a ratio the newer one is taken"
    nowhere = four.model_copy(update={"corpus": None})
    assert [row.result for row in at_ratios(nowhere, [eight])] == [nowhere]


def test_the_page_has_them_in_words_and_as_a_figure(three):
    run, _ = three
    page = write_report(run.path)
    html, markdown = page.read_text(), page.with_name("report.md").read_text()
    assert "Retention over tokens per latent" in html
    rows = re.findall(r"<tr><td>(\d+)x</td>.*?</tr>", html)
    assert rows == ["4", "8", "16"]
    at_8x = re.search(r"^\| 8x \| 8\.00 \| 18\.6 \|.*$", markdown, re.MULTILINE)
    assert at_8x is not None
    assert re.search(r"(above|below|tied with) summary \(as many tokens\) \|$", at_8x[0])


def test_a_ratio_that_was_not_trained_for_is_marked(three):
    _, (eight, _, four) = three
    of_two = [each.model_copy(update={"trained_ratios": (4.0, 2.0)}) for each in (four, eight)]
    assert [row.name for row in at_ratios(of_two[0], of_two[1:])] == ["4x", "8x, not trained for"]


def test_one_ratio_alone_has_words_and_no_figure(three):
    _, (_, _, four) = three
    rows = at_ratios(four, [])
    assert len(rows) == 1 and drawn(rows) == ""
