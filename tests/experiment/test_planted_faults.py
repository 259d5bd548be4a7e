"""Faults that would flatter a figure, planted one by one: where each is caught.

`ELSEWHERE` lists those that other files plant; the rest is planted here. A reader who knows one
more way to a wrong figure adds it to either.
"""

import importlib
from dataclasses import replace

import pytest

from latentcomp.evaluate import suite
from latentcomp.evaluate.arms import latents
from latentcomp.evaluate.arms.latents import compress_documents
from latentcomp.evaluate.arms.text import ceiling
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.run_folder import RunFolder

from ..evaluate.tiny_suite import bench
from ..train import tiny
from . import runs

ELSEWHERE = {
    "documents of the training among the held-out ones": (
        "test_evaluation",
        "test_the_documents_of_the_training_are_refused",
    ),
    "the same under other names, with a blank added, or half of them": (
        "test_lineage",
        "test_a_training_document_is_known_by_what_it_says",
    ),
    "a checkpoint that was trained on the test split": (
        "test_evaluation",
        "test_no_verdict_after_a_training_on_another_split",
    ),
    "documents of another world than the one trained on": (
        "test_lineage",
        "test_figures_on_another_world_are_not_judged",
    ),
    "documents that were chosen by hand": (
        "test_evaluation",
        "test_no_verdict_on_given_documents",
    ),
    "an edited evaluation": (
        "test_evidence",
        "test_an_edited_evaluation_changes_no_verdict_and_is_remarked",
    ),
    "an edited verdict": (
        "test_evidence",
        "test_an_edited_verdict_stands_no_longer_and_is_remarked",
    ),
    "a verdict and its evaluation edited alike": (
        "test_evidence",
        "test_a_verdict_edited_together_with_its_evaluation_stands_no_longer",
    ),
    "edited scores in the answers": (
        "test_evidence",
        "test_edited_columns_of_the_answers_change_no_verdict",
    ),
    "edited predictions": ("test_evidence", "test_edited_predictions_pass_no_gate_unseen"),
    "answers without the worst documents": (
        "test_evidence",
        "test_answers_without_their_worst_documents_are_refused",
    ),
    "sizes and ratios that were written by hand": (
        "test_evidence",
        "test_what_an_evaluation_claims_of_its_sizes_is_not_believed",
    ),
    "weights swapped after they were measured": (
        "test_evidence",
        "test_an_evaluation_of_weights_that_were_replaced_is_shown_and_not_judged",
    ),
    "another ratio than the phase's": (
        "test_evaluation",
        "test_another_ratio_is_measured_and_not_gated",
    ),
    "evaluated until it passes": (
        "test_history",
        "test_there_is_no_second_extension",
    ),
    "looked at through --checkpoint, then judged as new": (
        "test_looks",
        "test_documents_that_were_looked_at_thinly_are_no_new_attempt",
    ),
    "looked at in a copy of the run": (
        "test_looks",
        "test_a_copy_shares_its_looks_with_the_run_and_a_new_run_does_not",
    ),
    "one training seed passed off as three": (
        "test_judge",
        "test_a_copied_trial_is_no_training_seed",
    ),
    "a threshold that was moved": (
        "test_evidence",
        "test_a_gate_of_today_judges_what_was_judged_by_an_older_one",
    ),
    "a threshold that was moved and moved back": (
        "test_gates",
        "test_the_hash_of_a_gate_is_of_all_that_decides",
    ),
    "latents of the document as it was before its last updates": (
        "evaluate.test_baselines",
        "test_freshness_is_measured_where_the_last_third_settles_the_answer",
    ),
    "a recipe with another budget": (
        "test_judge",
        "test_a_training_that_was_not_the_whole_one_is_thin",
    ),
}


@pytest.mark.parametrize("fault", ELSEWHERE)
def test_what_is_said_to_be_planted_elsewhere_is(fault):
    file, name = ELSEWHERE[fault]
    module = importlib.import_module(f"..{file}" if "." in file else f".{file}", __package__)
    assert callable(getattr(module, name))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"floor": 0.96, "shuffled": 0.96, "zero": 0.96}, "too little headroom"),
        ({"shuffled": 0.58}, "self-check of the instrument does not hold"),
        ({"shuffled": 0.58, "zero": 0.58}, "self-check of the instrument does not hold"),
        ({"ceiling": 0.2}, "too little headroom"),
    ],
    ids=[
        "the answer stands in the prompt",
        "latents ignore their document and answer all the same",
        "latents of nothing answer all the same",
        "the reader cannot read the document itself",
    ],
)
def test_what_flatters_the_latents_is_inconclusive(small_lab, tmp_path, shares, words):
    """Each with a retention or an accuracy that would pass if it were believed."""
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, **({"compressed": 0.6, "floor": 0.05} | shares))
    verdict = judge_phase(run, 1)
    assert verdict.status == "inconclusive" and words in verdict.reason


def test_latents_that_ignore_their_document_fail_without_the_self_check_too(small_lab, tmp_path):
    """At the floor, all of them: nothing is read from this document."""
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, compressed=0.05, floor=0.05, shuffled=0.05)
    assert judge_phase(run, 1).status == "failed"


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, 3, split="test").document for i in range(3)]
    return [replace(document, questions=document.questions[:2]) for document in made]


def test_the_text_itself_in_place_of_latents_has_the_ratio_of_text(documents, monkeypatch):
    """Whatever the compressor says of its latents, the vectors that the reasoner reads count."""
    lm = tiny.lm(4)

    def cheating(bench, documents, progress):
        honest = compress_documents(bench, documents, progress)
        return replace(honest, prefixes=ceiling(bench.reasoner, documents))

    for module in (suite, latents):
        monkeypatch.setattr(module, "compress_documents", cheating)
    outcome = suite.run_arms(bench(lm), documents, 0, lambda arm, count: None)
    claimed = outcome.sizes.tokens / outcome.sizes.latents
    result = EvaluationResult.from_scores(outcome.rows, seed=0, ratio=4.0, sizes=outcome.sizes)
    assert claimed > 3.5
    assert result.tokens_per_latent == pytest.approx(1.0, abs=0.1)


def test_at_the_ratio_of_text_nothing_is_judged(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, compressed=0.9, ratio=1.0)
    verdict = judge_phase(run, 1)
    assert verdict.status == "inconclusive" and "tokens per latent" in verdict.reason
