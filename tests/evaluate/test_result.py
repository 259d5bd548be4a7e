import json
from math import isnan, nan
from pathlib import Path

import pytest
from pydantic import BaseModel

from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.cells import self_check
from latentcomp.evaluate.heading import documents_line
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.measures import shuffled_at_floor
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.samples import choose_samples
from latentcomp.evaluate.scores import AnswersSource, score_answer
from latentcomp.evaluate.sizes import Sizes
from latentcomp.evaluate.stats import RESAMPLES, Interval

from .rows import row, simulated, table

CONTRACT = [
    "accuracy",
    "by_family",
    "ceiling",
    "floor",
    "shuffled",
    "zero",
    "stale_rate",
    "retention",
    "retention_low",
    "retention_high",
    "ratio",
    "documents",
    "questions",
    "seed",
    "provenance",
]
SIZES = Sizes(tokens=1320, latents=332, latent_bytes=84992, state_bytes=1013760, text_bytes=4000)


def result(rows=None, **changes):
    fields = {"seed": 5, "phase": 4, "ratio": 4.0, "sizes": SIZES, "training_seeds": (1,)}
    return EvaluationResult.from_scores(
        simulated() if rows is None else rows, **{**fields, "resamples": 300, **changes}
    )


def test_json_has_the_keys_that_programs_read():
    written = json.loads(result().to_json())
    assert [key for key in CONTRACT if key not in written] == []
    assert {"arms", "by_bucket", "tokens_per_latent", "bytes", "checks"} <= written.keys()
    assert written["bytes"] == {"latents": 84992, "states": 1013760, "text": 4000}
    assert written["checks"].keys() == {"shuffled_at_floor"}
    assert all(isinstance(value, float) for value in written["by_family"].values())


def test_figures_are_those_of_the_rows():
    rows = table(
        """
        a 1 fact   compressed=1 ceiling=1 floor=0 shuffled=0 zero=0
        a 2 latest compressed=s ceiling=1 floor=0 shuffled=0 zero=0
        b 1 fact   compressed=1 ceiling=1 floor=1 shuffled=1 zero=0
        b 2 latest compressed=1 ceiling=0 floor=0 shuffled=0 zero=0
        """
    )
    found = result(rows)
    assert (found.accuracy, found.ceiling, found.floor) == (3 / 4, 3 / 4, 1 / 4)
    assert (found.shuffled, found.zero) == (1 / 4, 0)
    assert (found.retention, found.stale_rate) == (1.0, 1 / 2)
    assert found.by_family == {"fact": 1.0, "latest": 0.5}
    assert (found.documents, found.questions) == (2, 4)
    assert found.tokens_per_latent == pytest.approx(3.976, abs=1e-3)
    assert found.families["latest"].stale_rate["compressed"].n == 2
    assert isnan(found.families["fact"].stale_rate["compressed"].point)


def test_figures_of_the_same_rows_are_those_of_earlier_versions():
    """Values computed before the copies of figures became properties."""
    found = result(simulated(documents=40))
    assert (found.accuracy, found.ceiling, found.floor) == (0.5875, 0.959375, 0.1)
    assert (found.retention, found.retention_low, found.retention_high) == pytest.approx(
        (0.5672727272727273, 0.5160646630352974, 0.6207840501792115), abs=1e-15
    )
    assert (found.stale_rate, found.tokens_per_latent) == (0.125, 1320 / 332)


def test_derived_figures_of_a_file_are_not_believed(tmp_path):
    """Whatever an edited file claims: accuracy, retention and checks follow from its cells."""
    found, path = result(), tmp_path / "evaluation.json"
    edited = json.loads(found.to_json())
    edited |= {"accuracy": 0.99, "retention": 0.99, "retention_low": 0.98, "checks": {}}
    path.write_text(json.dumps(edited))
    assert EvaluationResult.read(path).to_json() == found.to_json()


def test_figures_are_recomputed_from_rows():
    rows = simulated(documents=30)
    honest = result(rows, resamples=RESAMPLES)
    cells = {"overall": result(simulated(seed=9)).overall, "documents": 900}
    edited = honest.model_copy(update={**cells, "ratio": 99.0, "checkpoint_sha256": "b"})
    source = AnswersSource(checkpoint="a", reasoner="r", ratio=4.0, corpus="c")
    again = edited.recomputed(rows, source)
    expected = honest.model_copy(update={"checkpoint_sha256": "a"})
    assert again.to_json() == expected.to_json()
    with pytest.raises(LatentcompError, match="no questions"):
        edited.recomputed([], source)


def test_nan_is_null_and_comes_back(tmp_path):
    found = result(
        [row(arm=arm, document=d) for arm in ("compressed", "ceiling", "floor") for d in "ab"]
    )
    path = tmp_path / "phases" / "4" / "evaluation.json"
    found.write(path)
    text = path.read_text()
    assert "NaN" not in text
    assert json.loads(text)["retention"] is None
    assert json.loads(text)["shuffled"] is None
    again = EvaluationResult.read(path)
    assert isnan(again.retention) and isnan(again.families["fact"].retention["compressed"].point)
    assert again.to_json() == text


def test_retention_carries_its_interval():
    found = result()
    kept = found.overall.retention["compressed"]
    assert (found.retention, found.retention_low, found.retention_high) == (
        kept.point,
        kept.low,
        kept.high,
    )
    assert kept.low < kept.point < kept.high
    assert kept.seed == 5 and kept.resamples == 300 and kept.clusters == 60


@pytest.mark.parametrize(
    ("shuffled", "passed", "words"),
    [(0.1, True, "self-check holds"), (0.4, False, "SELF-CHECK FAILED")],
)
def test_self_check(shuffled, passed, words):
    check = result(simulated(documents=600, shuffled=shuffled)).checks["shuffled_at_floor"]
    assert check.passed is passed
    assert words in check.message
    assert check.sibling == ""


def check_of(low, high):
    middle = (low + high) / 2
    return self_check(Interval(point=middle, low=low, high=high, n=480, clusters=24))


@pytest.mark.parametrize(
    ("low", "high", "passed", "words"),
    [
        (-0.30, 0.41, None, "not excluded: up to +0.41"),
        (-0.01, 0.02, None, "not excluded: up to +0.02"),
        (-0.01, 0.019, True, "self-check holds"),
        (0.001, 0.019, True, "self-check holds"),
        (0.001, 0.02, False, "SELF-CHECK FAILED"),
    ],
)
def test_want_of_evidence_is_not_said_to_hold(low, high, passed, words):
    check = check_of(low, high)
    assert check.passed is passed
    assert words in check.message and "\n" not in check.message
    # The rule of the plan is as it was: what is open here is no obstacle there.
    assert shuffled_at_floor(check_of(low, high).interval) is (passed is not False)


def test_shuffled_below_the_floor_has_its_own_line():
    assert check_of(-0.09, 0.0).sibling == ""
    below = check_of(-0.09, -0.04)
    assert below.passed is True
    assert below.sibling.startswith("shuffled latents lie below the floor, by 0.040 at least")


def test_self_check_is_open_where_it_cannot_be_made():
    rows = simulated(documents=1)
    assert result(rows).checks["shuffled_at_floor"].passed is None
    without = [r for r in simulated() if r.arm != "shuffled"]
    assert result(without).checks["shuffled_at_floor"].passed is None


def test_the_teacher_alone_has_accuracy_and_no_retention():
    rows = [r for r in simulated() if r.arm in ("ceiling", "floor")]
    found = EvaluationResult.from_scores(rows, seed=1, headline="ceiling", resamples=100)
    assert found.accuracy == found.ceiling > 0.9
    assert found.by_family.keys() == {"fact", "relation", "latest", "when"}
    assert isnan(found.retention) and isnan(found.ratio) and isnan(found.shuffled)
    assert found.phase is None and found.bytes.latents is None


def test_no_questions_is_one_line():
    with pytest.raises(LatentcompError, match="no questions") as caught:
        result([])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", '{"accuracy": "high"}', "[1]"])
def test_damaged_files_are_one_line(tmp_path, text):
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(LatentcompError, match="evaluation.json: not a EvaluationResult") as caught:
        EvaluationResult.read(path)
    assert "\n" not in str(caught.value)


def test_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(LatentcompError, match="run `latentcomp evaluate` first"):
        EvaluationResult.read(tmp_path / "evaluation.json")


def test_provenance_may_be_a_record_or_a_mapping():
    class Record(BaseModel):
        commit: str
        factor: float = nan

    assert result(provenance=Record(commit="abc")).provenance["commit"] == "abc"
    assert result(provenance={"commit": "abc"}).provenance == {"commit": "abc"}


NAMED = {
    "corpus": Source(sha256="c" * 64, preset="lab", split="test", seed=5, generator=3),
    "checkpoint_sha256": "a" * 64,
    "steps": 20,
    "finished": False,
    "unjudged": "because",
    "notes": ("a note",),
}


def test_what_was_measured_on_what_is_in_the_record():
    written = json.loads(result().model_copy(update=NAMED).to_json())
    assert written.keys() >= {*CONTRACT, *NAMED}
    assert written["corpus"]["seed"] == 5 and written["finished"] is False


@pytest.mark.parametrize(
    "name", ["phase4.json", "attempts/phase4_lab3.json", "attempts/lab_teacher_lab3.json"]
)
def test_results_that_are_committed_still_read(name):
    path = Path(__file__).parents[2] / "docs" / "results" / name
    found, plain = EvaluationResult.read(path), json.loads(path.read_text())
    assert found.accuracy == plain["accuracy"]
    assert documents_line(found) == f"{plain['documents']} held-out documents, seed {plain['seed']}"


def documents():
    chunks = (Chunk(0, "Ada lives in Rome."), Chunk(1, "Ada lives in Oslo."))
    asked = (
        Question("1", "latest", "Where?", "Oslo", ("Rome",), (1,)),
        Question("2", "fact", "Who?", "Ada", (), (0, 1)),
    )
    return [Document(f"d{index}", chunks, asked) for index in range(5)]


def test_samples_are_drawn_by_seed_from_every_family():
    rows = [
        score_answer(document.document_id, question, arm, "Rome")
        for document in documents()
        for question in document.questions
        for arm in ("compressed", "ceiling")
    ]
    drawn = choose_samples(rows, documents(), seed=1, per_family=2)
    assert [sample.family for sample in drawn] == ["fact", "fact", "latest", "latest"]
    assert drawn == choose_samples(rows, documents(), seed=1, per_family=2)
    assert len({(sample.document_id, sample.question_id) for sample in drawn}) == 4
    latest = drawn[2]
    assert latest.evidence == ("Ada lives in Oslo.",)
    assert latest.answers["compressed"].stale and not latest.answers["compressed"].correct
    assert result(samples=drawn).samples == drawn


def test_samples_skip_questions_that_nobody_answered():
    rows = [score_answer("d1", documents()[1].questions[0], "compressed", "Oslo")]
    assert [s.document_id for s in choose_samples(rows, documents(), seed=0)] == ["d1"]
