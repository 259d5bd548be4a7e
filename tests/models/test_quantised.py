"""Figures of a quantised model say so, wherever they are read."""

import pytest

from latentcomp.evaluate.result import EvaluationResult
from latentcomp.models.quantised import quantised_note
from latentcomp.report.write import findings

from ..evaluate import rows
from ..train import tiny

PLAIN = tiny.lm(1).identity
SMALL = PLAIN.model_copy(update={"name": "small (quantised Q4_1)"})
OTHER = PLAIN.model_copy(update={"name": "other (quantised Q8_0)"})


@pytest.mark.parametrize(
    ("models", "named"),
    [
        ((PLAIN, PLAIN), ""),
        ((SMALL, SMALL), "of small (quantised Q4_1), not"),
        ((PLAIN, SMALL), "of small (quantised Q4_1), not"),
        ((SMALL, OTHER), "of small (quantised Q4_1) and other (quantised Q8_0), not"),
    ],
)
def test_the_note_names_the_quantised_models(models, named):
    note = quantised_note(*models)
    assert (named in note) if named else note == ""


@pytest.mark.parametrize("model", [PLAIN, SMALL])
def test_the_report_says_it_beside_its_figure(model):
    answers = [rows.row(f"d{n}", "q", arm) for n in range(4) for arm in ("ceiling", "floor")]
    result = EvaluationResult.from_scores(answers, seed=0, resamples=20)
    note = quantised_note(model)
    result = result.model_copy(update={"notes": tuple(filter(None, (note, "another note")))})
    text = findings(result)
    assert ("Quantised weights: figures are of small (quantised Q4_1)" in text) is bool(note)
    assert "another note" not in text
