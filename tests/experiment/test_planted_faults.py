"""Faults that would flatter a figure, planted one by one: what each does to a verdict.

Whatever this file plants is planted in a small world that is really evaluated and judged
(`reading_world.py`). `ELSEWHERE` names the tests of other files that plant the rest as far as a
verdict. docs/measures.md shows all of them in a table, which tests/docs compares with the tests.
"""

import importlib
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from latentcomp.commands import evaluation
from latentcomp.common.errors import CheckpointError, CorpusError, LatentcompError, PhaseError
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.generators import generator
from latentcomp.evaluate import held_out, suite
from latentcomp.evaluate.arms import latents
from latentcomp.evaluate.arms.other_states import before_last_third
from latentcomp.evaluate.arms.text import ceiling
from latentcomp.evaluate.scores import read_answers, read_source, write_answers
from latentcomp.experiment import phases
from latentcomp.experiment.history import ATTEMPTS, read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.looks import read_looks
from latentcomp.experiment.order import standing_verdicts
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.verdict import Verdict

from ..train import tiny
from . import runs
from .reading_world import LEAK, PHASE, World, load

ELSEWHERE = {
    "a store of another teacher, in training": ("test_trials", "test_a_store_of_another_teacher"),
    "a checkpoint that was trained on the test split": (
        "test_evaluation",
        "test_no_verdict_after_a_training_on_another_split",
    ),
    "documents of another world than the one trained on": (
        "test_lineage",
        "test_figures_on_another_world_are_not_judged",
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
    "answers that were edited after the verdict": (
        "test_evidence",
        "test_answers_that_were_changed_after_the_verdict_take_it_with_them",
    ),
    "sizes and ratios that were written by hand": (
        "test_evidence",
        "test_what_an_evaluation_claims_of_its_sizes_is_not_believed",
    ),
    "one training seed passed off as three": (
        "test_judge",
        "test_a_copied_trial_is_no_training_seed",
    ),
    "a stricter gate that is outlived": (
        "test_evidence",
        "test_a_gate_of_today_judges_what_was_judged_by_an_older_one",
    ),
    "a recipe with another budget": (
        "test_judge",
        "test_a_training_that_was_not_the_whole_one_is_thin",
    ),
}


@pytest.mark.parametrize("fault", ELSEWHERE)
def test_what_is_said_to_be_planted_elsewhere_is(fault):
    file, name = ELSEWHERE[fault]
    module = importlib.import_module(f".{file}", __package__)
    assert callable(getattr(module, name))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A tiny teacher, its weights random."""
    return tiny.save_model(tmp_path_factory.mktemp("teacher") / "tiny", blocks=4)


@pytest.fixture
def world(small_lab, teacher, tmp_path, monkeypatch):
    """A run in which phase 4 was trained, and whose reasoner answers from what it is given."""
    made = load(teacher, tmp_path / "run")
    answering(monkeypatch, made.reader)
    made.learn(made.trial())
    return made


def answering(monkeypatch: pytest.MonkeyPatch, answerer: Callable[..., Any]) -> None:
    """Let it answer in place of the reasoner, whatever the backend."""
    monkeypatch.setattr(evaluation, "answering", lambda *given: nullcontext(answerer))


def compressing(monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    """Let the arm under test get what `change` makes of what the compressor made."""
    honest = latents.compress_documents

    def cheating(bench, documents, progress):
        return change(bench, documents, honest(bench, documents, progress))

    monkeypatch.setattr(suite, "compress_documents", cheating)


def outcome(verdict: Verdict, measure: str) -> str:
    """Of a gate or of a sibling beside it."""
    statuses: dict[str, str] = {each.measure: each.status for each in verdict.criteria}
    statuses |= {each.measure: each.status for each in verdict.siblings}
    return statuses[measure]


def test_without_a_fault_the_phase_passes(world):
    """Else nothing here would show that a fault was caught."""
    result = world.evaluate(arms=("stale",))
    assert result.tokens_per_latent == pytest.approx(4.0, abs=0.1)
    verdict = judge_phase(world.run, PHASE)
    assert verdict.status == "passed", (verdict.reason, result.arms)
    assert outcome(verdict, "above_stale") == "passed"


def leaking(reader, arms):
    """A prompt with the answer in it, behind the vectors of some arms."""

    def asked(lm, prefixes, questions, **options):
        leaky = []
        for prefix, texts in zip(prefixes, questions, strict=True):
            known = reader.documents[tuple(texts)].questions
            leak = arms(len(prefix.x_PD))
            leaky.append([f"{q.answer}{LEAK}{q.text}" if leak else q.text for q in known])
        return reader(lm, prefixes, leaky, **options)

    return asked


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        (lambda vectors: True, "too little headroom"),
        (lambda vectors: vectors > 20, "self-check of the instrument does not hold"),
    ],
    ids=["always", "behind any vectors"],
)
def test_the_answer_in_the_prompt(world, monkeypatch, arms, words):
    """The floor knows it too; and where only latents bring it along, those of others do."""
    answering(monkeypatch, leaking(world.reader, arms))
    world.evaluate()
    verdict = judge_phase(world.run, PHASE)
    assert verdict.status == "inconclusive" and words in verdict.reason


def renamed(document):
    """Another id and a blank more in every chunk."""
    chunks = tuple(replace(c, text=f" {c.text}") for c in document.chunks)
    questions = tuple(
        replace(q, question_id=q.question_id.replace(document.document_id, "other"))
        for q in document.questions
    )
    return replace(document, document_id="other", chunks=chunks, questions=questions)


@pytest.mark.parametrize("disguise", [lambda one: one, renamed], ids=["as it was", "renamed"])
def test_training_documents_in_the_test_split(world, monkeypatch, disguise):
    """One of them among many, made by the generator itself."""
    trained = tuple(generator(3).generate("lab", "train", 4, 0))
    corpus = write_corpus(world.run.corpus, trained, {"split": "train", "preset": "lab"})
    world.trial(kind="store", corpus_sha256=corpus.sha256)

    def generate(preset, split, count, seed):
        *others, _ = generator(3).generate(preset, split, count, seed)
        return [*others, disguise(trained[2])]

    monkeypatch.setattr(held_out, "generator", lambda version: SimpleNamespace(generate=generate))
    with pytest.raises(CorpusError, match=r"1 of 24 documents are in the training corpus"):
        world.evaluate()
    assert world.run.trials()[0].evaluations() == () and read_looks(world.run) == ()


def test_documents_of_the_train_split_against_a_checkpoint_trained_live(world, tmp_path):
    """No corpus names them: it has met their names and values all the same."""
    given = tuple(generator(3).generate("lab", "train", runs.DOCUMENTS, 7))
    write_corpus(tmp_path / "mine", given, {"split": "train", "preset": "lab", "generator": 3})
    world.reader.documents |= {tuple(q.text for q in one.questions): one for one in given}
    world.reader.believes = True
    result = world.evaluate(corpus=tmp_path / "mine")
    assert any("a training has met their names and values" in note for note in result.notes)
    assert "the documents were given" in result.unjudged
    with pytest.raises(PhaseError, match="the documents were given"):
        judge_phase(world.run, PHASE)


def test_documents_of_the_train_split_in_place_of_generated_ones(world, monkeypatch):
    """The record says `test`: the documents that are generated again are others."""
    made = generator(3)

    def generate(preset, split, count, seed):
        return made.generate(preset, "train", count, seed)

    with monkeypatch.context() as patch:
        patch.setattr(held_out, "generator", lambda version: SimpleNamespace(generate=generate))
        world.learn(world.run.trials()[0])
        world.evaluate()
    with pytest.raises(PhaseError, match="documents cannot be had again"):
        judge_phase(world.run, PHASE)


def test_latents_that_ignore_their_document(world, monkeypatch):
    """All are those of the shortest document: nothing is read."""

    def same(bench, documents, made):
        shortest = min(made.prefixes, key=lambda each: len(each.x_PD))
        return replace(made, prefixes=[shortest] * len(documents))

    compressing(monkeypatch, same)
    world.evaluate()
    verdict = judge_phase(world.run, PHASE)
    assert verdict.status == "failed", verdict.reason
    assert outcome(verdict, "compressed_minus_shuffled") == "failed"


def test_latents_that_ignore_their_document_before_a_reasoner_that_answers_all_the_same(
    world, monkeypatch
):
    """Retention is 0.8: it is not read from the document, as those of others show."""
    world.reader.believes = True
    compressing(
        monkeypatch,
        lambda bench, documents, made: replace(
            made, prefixes=[replace(each, x_PD=each.x_PD + 1) for each in made.prefixes]
        ),
    )
    result = world.evaluate()
    assert result.retention > 0.7
    verdict = judge_phase(world.run, PHASE)
    assert verdict.status == "inconclusive" and "self-check of the instrument" in verdict.reason


def test_the_text_itself_in_place_of_latents(world, monkeypatch):
    """Whatever the compressor says of its latents, the vectors that the reasoner reads count."""
    compressing(
        monkeypatch,
        lambda bench, documents, made: replace(made, prefixes=ceiling(bench.reasoner, documents)),
    )
    result = world.evaluate()
    assert result.retention > 0.9 and result.tokens_per_latent == pytest.approx(1.0, abs=0.1)
    verdict = judge_phase(world.run, PHASE)
    assert (verdict.status, verdict.counts) == ("inconclusive", False)
    assert "tokens per latent, the plan asks for at least 3.9" in verdict.reason


def test_a_store_of_another_teacher(world, tmp_path):
    """Of the same shape, its tokenizer the same, and other weights."""
    other = tiny.save_model(tmp_path / "other", blocks=4, seed=1)
    for names in ({"teacher": str(other)}, {"reasoner": str(other)}):
        with pytest.raises(CheckpointError, match="the checkpoint was trained with") as caught:
            world.evaluate(**names)
        assert "\n" not in str(caught.value)
    assert read_looks(world.run) == ()


def test_stale_latents(world, monkeypatch):
    """Of every document without its last third: the gate passes them, the sibling does not."""
    honest = latents.compress_documents

    def stale(bench, documents, made):
        old = honest(bench, [before_last_third(each) for each in documents], lambda count: None)
        return replace(old, tokens=made.tokens, text_tokens=made.text_tokens)

    compressing(monkeypatch, stale)
    world.evaluate(arms=("stale",))
    verdict = judge_phase(world.run, PHASE)
    assert verdict.status == "passed", "which is why there is a sibling"
    assert outcome(verdict, "above_stale") == "failed"


def moved(monkeypatch, threshold):
    """The threshold of the headline of the phase, elsewhere."""
    *before, each = [one for one in phases.PHASES if one.number <= PHASE]
    headline, *others = each.gate.criteria
    gate = replace(each.gate, criteria=(replace(headline, threshold=threshold), *others))
    after = [one for one in phases.PHASES if one.number > PHASE]
    monkeypatch.setattr(phases, "PHASES", (*before, replace(each, gate=gate), *after))


def test_a_threshold_moved_and_moved_back(small_lab, tmp_path, monkeypatch):
    """The pass that it brought stands no longer than the threshold does."""
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, PHASE, compressed=0.25)
    assert judge_phase(run, PHASE).status == "failed"
    with monkeypatch.context() as patch:
        moved(patch, 0.05)
        assert judge_phase(run, PHASE).status == "passed"
    lines: list[str] = []
    assert standing_verdicts(run, None, lines.append) == {}
    assert "it says passed, and its answers say failed" in lines[0]
    assert judge_phase(run, PHASE).status == "failed"
    assert [one.status for one in read_history(run, PHASE)] == ["failed", "passed", "failed"]
    assert len({one.gate_sha256 for one in read_history(run, PHASE)}) == 2


def test_evaluating_the_same_weights_until_they_pass(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    trial = runs.save_trial(run, phase(PHASE).recipe)
    runs.save_evaluation(trial, run, seed=7, compressed=0.44)
    assert judge_phase(run, PHASE).status == "inconclusive"
    for seed in (8, 9, 10):
        runs.save_evaluation(trial, run, seed=seed, compressed=0.9)
        verdict = judge_phase(run, PHASE, seed=seed)
        assert verdict.status == "inconclusive" and verdict.number == seed - 6
        assert "extended once, to at least 96 documents" in verdict.reason
    assert not any(one.counts for one in read_history(run, PHASE)[1:])


def test_training_again_until_it_passes(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    for number in range(ATTEMPTS + 1):
        run.trial("phase-4", 0).put_aside()
        trial = runs.save_trial(run, phase(PHASE).recipe, weights=bytes([number + 1]))
        share = 0.9 if number == ATTEMPTS else 0.2
        runs.save_evaluation(trial, run, seed=number, compressed=share)
        verdict = judge_phase(run, PHASE)
        assert verdict.status == "failed"
    assert f"closed as failed after {ATTEMPTS} attempts" in verdict.reason


@pytest.mark.parametrize("whole", [True, False], ids=["this run", "another run"])
@pytest.mark.parametrize("moved_away", [True, False], ids=["a copy of it", "where it lies"])
def test_peeking_through_checkpoint(world, tmp_path, whole, moved_away):
    """Seen with weights that were given, then trained again and judged on the same documents."""
    trial = world.run.trials()[0]
    given = trial.checkpoint
    if moved_away:
        given = shutil.copytree(trial.checkpoint, tmp_path / "elsewhere")
    other = World(RunFolder(tmp_path / "other"), world.teacher, world.lm, world.reader)
    (world if whole else other).evaluate(checkpoint=given)
    trial.put_aside()
    assert_seen(world)


@pytest.mark.parametrize("when", ["before any look", "after a look"])
def test_peeking_through_a_copied_run(world, tmp_path, when):
    trial = world.run.trials()[0]
    if when == "after a look":
        world.learn(trial, 5)
        world.evaluate(seed=5)
    shutil.copytree(world.run.path, tmp_path / "copy")
    copy = World(RunFolder(tmp_path / "copy"), world.teacher, world.lm, world.reader)
    copy.evaluate()
    shutil.rmtree(tmp_path / "copy")
    if when == "after a look":  # the copy has the run's name: its weights need not be known
        shutil.rmtree(trial.path)
    trial.put_aside()
    assert_seen(world)


def assert_seen(world):
    """Other weights pass on documents that nobody looked at, and not on seed 7."""
    again = world.trial(weights=1)
    for seed, status in ((7, "inconclusive"), (8, "passed")):
        world.learn(again, seed)
        world.evaluate(seed=seed)
        verdict = judge_phase(world.run, PHASE, seed=seed)
        assert verdict.status == status, verdict.reason
        assert ("seed 7 were seen by earlier weights" in verdict.reason) is (seed == 7)


def test_weights_swapped_after_the_evaluation(world):
    """Before the verdict and after it."""
    world.evaluate()
    honest = judge_phase(world.run, PHASE)
    world.trial(weights=1)
    with pytest.raises(PhaseError, match="the trial holds other weights by now"):
        judge_phase(world.run, PHASE)
    lines: list[str] = []
    assert standing_verdicts(world.run, None, lines.append) == {}
    assert honest.checkpoint_sha256 and honest.checkpoint_sha256[:12] in lines[0]


MANY = runs.DOCUMENTS + 6


def dropped(rows, record):
    """Without the documents on which the latents did worst, nowhere said."""
    return worst_first(rows)[1], record


def dropped_and_said(rows, record):
    """The same, with an evaluation that says so many fewer."""
    gone, kept = worst_first(rows)
    return kept, record.replace(f'"documents": {MANY}', f'"documents": {MANY - len(gone)}')


def one_arm_short(rows, record):
    """Without the arm that would close the gate."""
    return [row for row in rows if row.arm != "shuffled"], record


def worst_first(rows):
    """The documents with the most wrong answers, and the rows of the others."""
    wrong = [row.document_id for row in rows if row.arm == "compressed" and not row.correct]
    worst = sorted(set(wrong), key=lambda one: -wrong.count(one))[: MANY - runs.DOCUMENTS]
    return worst, [row for row in rows if row.document_id not in worst]


@pytest.mark.parametrize("cut", [dropped, dropped_and_said, one_arm_short])
def test_a_truncated_evaluation(world, cut):
    """As many are left as the plan asks for."""
    world.learn(world.run.trials()[0], count=MANY)
    world.evaluate(documents=MANY)
    (folder,) = world.run.trials()[0].evaluations()
    rows, record = cut(read_answers(folder.answers), folder.result.read_text())
    write_answers(folder.answers, rows, read_source(folder.answers))
    folder.result.write_text(record)
    try:
        verdict = judge_phase(world.run, PHASE)
    except (PhaseError, LatentcompError) as error:
        assert "\n" not in str(error)
    else:
        assert verdict.status == "inconclusive" and not verdict.counts


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2.0, "tokens per latent, the plan asks for at least 3.9"),
        (3.95, "measured at 3.95x, which is reported and never gated"),
        (8.0, "measured at 8x, which is reported and never gated"),
    ],
)
def test_another_ratio_than_trained(world, ratio, words):
    """More latents than it was trained to write, or fewer."""
    result = world.evaluate(ratios=(ratio,))
    assert any("not trained for (4x)" in note for note in result.notes), result.notes
    verdict = judge_phase(world.run, PHASE)
    assert (verdict.status, verdict.counts) == ("inconclusive", False)
    assert words in verdict.reason
