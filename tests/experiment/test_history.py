"""Sections 6.3 and 6.4 of the plan: no looking until it clears, no trying until it passes."""

import json

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.experiment.history import (
    ATTEMPTS,
    EXTENSION,
    read_history,
    record_verdict,
    rule,
    standing,
)
from latentcomp.experiment.looks import Look
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.verdict import Verdict

from .test_order import verdict

OPEN, DECIDED = "inconclusive", ("passed", "failed")


def look(checkpoint="a", seed=1, documents=200, status=OPEN, **changes):
    """One evaluation of a checkpoint, as its figures alone have it."""
    made = verdict(4, status, checkpoint_sha256=checkpoint * 64, seed=seed, ratio=4.0)
    sha = f"{seed}/{documents}"
    return made.model_copy(update={"documents": documents, "corpus_sha256": sha, **changes})


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def record(run, one, seen=None):
    return record_verdict(run, one, seen or {})


def after(*looks):
    """The verdicts that each of these leaves, one after the other."""
    earlier: list[Verdict] = []
    for one in looks:
        earlier.append(rule(one, tuple(earlier)))
    return earlier


@pytest.mark.parametrize("status", [OPEN, *DECIDED])
def test_the_first_verdict_is_what_was_measured(status):
    assert rule(look(status=status), ()) == look(status=status)


@pytest.mark.parametrize("status", [OPEN, *DECIDED])
def test_an_inconclusive_one_is_extended_once_on_new_documents(status):
    least = EXTENSION * 200
    _, second = after(look(), look(seed=2, documents=least, status=status))
    assert (second.status, second.counts, second.number) == (status, True, 2)
    assert second.reason == "because (evaluation 2 of this phase in this run)"


@pytest.mark.parametrize(("seed", "documents"), [(2, EXTENSION * 200 - 1), (1, EXTENSION * 200)])
def test_fewer_or_the_same_documents_are_no_extension(seed, documents):
    _, second = after(look(), look(seed=seed, documents=documents, status="passed"))
    assert (second.status, second.counts) == (OPEN, False)
    assert f"at least {EXTENSION * 200} documents on another --seed" in second.reason


def test_there_is_no_second_extension():
    looks = [look(seed=seed, documents=200 * EXTENSION**seed) for seed in range(2)]
    *_, third = after(*looks, look(seed=2, documents=200 * EXTENSION**2, status="passed"))
    assert (third.status, third.counts) == (OPEN, False)
    assert "extended once" in third.reason


def test_what_was_no_extension_does_not_use_it_up():
    wrong = look(seed=2, documents=300, status="passed")
    *_, third = after(look(), wrong, look(seed=3, documents=800, status="passed"))
    assert third.status == "passed"


def test_too_little_evidence_uses_nothing_up():
    few = [look(seed=seed, documents=20, counts=False, thin=True) for seed in range(5)]
    *_, last = after(*few, look(seed=1, status="failed"))
    assert (last.status, last.counts, last.number) == ("failed", True, 6)


@pytest.mark.parametrize("first", DECIDED)
@pytest.mark.parametrize("second", [OPEN, *DECIDED])
def test_the_same_weights_are_judged_once(run, first, second):
    made = record(run, look(status=first))
    held = record(run, look(seed=2, documents=2000, status=second))
    assert held.status == made.status == first
    assert held.reason.startswith("because; it stands: these weights were judged already on")
    history = read_history(run, 4)
    assert standing(history) == held
    assert [one.status for one in history] == [first, OPEN]


def test_the_same_evaluation_again_is_a_repeat(run):
    for _ in range(3):
        assert record(run, look(status="failed")) == look(status="failed")
    extended = look(seed=2, documents=800, status="passed", checkpoint_sha256="b" * 64)
    first = look(checkpoint="b", seed=3)
    for _ in range(3):
        record(run, first)
    assert record(run, extended).status == "passed"
    assert len(read_history(run, 4)) == 7


@pytest.mark.parametrize("first", [OPEN, *DECIDED])
@pytest.mark.parametrize("second", [OPEN, *DECIDED])
def test_a_repeat_that_comes_out_otherwise_changes_nothing(run, first, second):
    record(run, look(status=first))
    assert record(run, look(status=second)).status == first
    last = read_history(run, 4)[-1]
    assert last.counts == (first == second)
    stricter = look(status=second, gate_sha256="g" * 64)
    assert record(run, stricter).status == second, "by another gate it is another question"


def test_repeats_do_not_bring_the_extension_back():
    """The second look took it; to repeat the first is no way to a third."""
    looks = [look(), look(seed=2, documents=800), look(), look(seed=3, documents=12800)]
    *_, last = after(*looks)
    assert (last.status, last.counts) == (OPEN, False)


def test_another_ratio_is_another_look_and_no_repeat():
    _, second = after(look(status="failed"), look(status="passed", ratio=8.0))
    assert (second.status, second.counts) == (OPEN, False)


def test_every_attempt_is_judged_on_another_seed():
    _, second = after(look(status="failed"), look(checkpoint="b", status="passed"))
    assert second.status == OPEN and "another --seed" in second.reason
    *_, third = after(look(status="failed"), look(checkpoint="b", seed=2, status="passed"))
    assert third.status == "passed"


def attempts(*statuses):
    return [look("abcdef"[i], i, status=status) for i, status in enumerate(statuses)]


def test_a_phase_is_closed_after_so_many_attempts():
    failed = attempts(*["failed"] * ATTEMPTS, "passed")
    *_, last_allowed, closed = after(*failed)
    assert "closed" not in last_allowed.reason
    assert closed.status == "failed"
    assert f"closed as failed after {ATTEMPTS} attempts" in closed.reason
    assert "by itself: passed, because" in closed.reason


def test_inconclusive_attempts_are_attempts_and_a_pass_closes_nothing():
    assert after(*attempts(OPEN, "failed", OPEN, "passed"))[-1].status == "failed"
    assert after(*attempts("failed", "passed", "failed", "passed"))[-1].status == "passed"


def seen(seed, checkpoint="z"):
    return Look(
        made="2025-11-28T12:00:00+00:00",
        run="r",
        trial="phase-4/seed-0",
        recipe="phase-4",
        checkpoint_sha256=checkpoint * 64,
        corpus_sha256="c" * 64,
        seed=seed,
        documents=8,
        ratio=4.0,
        argv=("latentcomp", "evaluate"),
    )


def test_documents_that_other_weights_were_looked_at_on_are_no_new_attempt():
    """Without any verdict: figures that were seen can be selected for."""
    held = rule(look(status="passed", seed=5), (), {5: seen(5)})
    assert (held.status, held.counts) == (OPEN, False)
    assert "seed 5 were seen by earlier weights" in held.reason
    assert "phase-4/seed-0" in held.reason and "2025-11-28" in held.reason
    assert rule(look(status="passed", seed=6), (), {5: seen(5)}).status == "passed"
    thin = look(status=OPEN, seed=5, counts=False, thin=True)
    assert rule(thin, (), {5: seen(5)}).reason == "because", "it counts as nothing anyway"


def test_the_file_holds_one_verdict_a_line_and_nothing_is_overwritten(run):
    record(run, look())
    before = run.verdicts(4).read_bytes()
    record(run, look(seed=2, documents=20, counts=False))
    assert run.verdicts(4).read_bytes().startswith(before)
    lines = [json.loads(line) for line in run.verdicts(4).read_text().splitlines()]
    keys = ("seed", "documents", "ratio", "checkpoint_sha256", "status")
    assert [tuple(line[key] for key in keys) for line in lines] == [
        (1, 200, 4.0, "a" * 64, OPEN),
        (2, 20, 4.0, "a" * 64, OPEN),
    ]
    held = standing(read_history(run, 4))
    assert (held.seed, held.number) == (1, 2), "the one on too little displaces none"


def test_a_new_start_does_not_forget(run):
    """A trial that is put aside takes its evaluations along, and no verdict."""
    trial = run.trial("phase-4", 0)
    trial.path.mkdir(parents=True)
    record(run, look(status="failed"))
    trial.put_aside()
    again = record(run, look(checkpoint="b", status="passed"))
    assert again.number == 2 and again.status == OPEN


def test_a_history_of_a_version_before_0_2_is_read_first_and_added_to_elsewhere(run):
    old = run.legacy_verdicts(4)
    old.parent.mkdir(parents=True)
    old.write_text(look(status="failed").model_dump_json() + "\n")
    before = old.read_bytes()
    record(run, look(checkpoint="b", status="passed"))
    assert [(one.seed, one.status) for one in read_history(run, 4)] == [(1, "failed"), (1, OPEN)]
    assert old.read_bytes() == before


def test_no_verdict_stands_in_an_empty_history():
    with pytest.raises(ValueError, match="no verdict"):
        standing(())


def test_a_damaged_line_is_named(run):
    record(run, look())
    with run.verdicts(4).open("a") as history:
        history.write("{}\n")
    with pytest.raises(LatentcompError, match="line 2: not a Verdict") as caught:
        record(run, look(seed=2))
    assert "\n" not in str(caught.value)
