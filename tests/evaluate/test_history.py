"""Sections 6.3 and 6.4 of the plan: no looking until it clears, no trying until it passes."""

import json

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.common.record import read_record
from latentcomp.evaluate.gates import ATTEMPTS, EXTENSION
from latentcomp.evaluate.history import FILE, clear_phase, read_history, record_verdict, rule
from latentcomp.evaluate.verdict import Verdict

from .test_gates_order import verdict

OPEN, DECIDED = "inconclusive", ("passed", "failed")


def look(checkpoint="a", seed=1, documents=200, status=OPEN, **changes):
    """One evaluation of a checkpoint, as its figures alone have it."""
    found = verdict(4, status, checkpoint_sha256=checkpoint * 64, seed=seed, ratio=4.0)
    sha = f"{seed}/{documents}"
    return found.model_copy(update={"documents": documents, "corpus_sha256": sha, **changes})


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
    *_, found = after(*few, look(seed=1, status="failed"))
    assert (found.status, found.counts, found.number) == ("failed", True, 6)


@pytest.mark.parametrize("first", DECIDED)
@pytest.mark.parametrize("second", [OPEN, *DECIDED])
def test_a_checkpoint_is_judged_once(tmp_path, first, second):
    made = record_verdict(tmp_path, look(status=first))
    held = record_verdict(tmp_path, look(seed=2, documents=2000, status=second))
    assert held.status == made.status == first
    assert held.reason.startswith("because; it stands: this checkpoint was judged already on")
    path = tmp_path / "phases" / "4" / "verdict.json"
    assert read_record(Verdict, path) == held
    assert [one.status for one in read_history(path.with_name(FILE))] == [first, OPEN]


def test_the_same_evaluation_again_is_a_repeat(tmp_path):
    for _ in range(3):
        assert record_verdict(tmp_path, look(status="failed")) == look(status="failed")
    extended = look(seed=2, documents=800, status="passed", checkpoint_sha256="b" * 64)
    first = look(checkpoint="b", seed=3)
    for _ in range(3):
        record_verdict(tmp_path, first)
    assert record_verdict(tmp_path, extended).status == "passed"
    assert len(read_history(tmp_path / "phases" / "4" / FILE)) == 7


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


def test_the_file_holds_one_verdict_a_line(tmp_path):
    record_verdict(tmp_path, look())
    record_verdict(tmp_path, look(seed=2, documents=20, counts=False))
    path = tmp_path / "phases" / "4" / FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    keys = ("seed", "documents", "ratio", "checkpoint_sha256", "status")
    assert [tuple(line[key] for key in keys) for line in lines] == [
        (1, 200, 4.0, "a" * 64, OPEN),
        (2, 20, 4.0, "a" * 64, OPEN),
    ]
    held = read_record(Verdict, path.with_name("verdict.json"))
    assert (held.seed, held.number) == (1, 2), "the one on too little displaces none"


def test_a_new_start_does_not_forget(tmp_path):
    record_verdict(tmp_path, look(status="failed"))
    folder = tmp_path / "phases" / "4"
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "latest.json").write_text("{}")
    clear_phase(folder)
    assert [path.name for path in folder.iterdir()] == [FILE]
    clear_phase(tmp_path / "phases" / "5")
    again = record_verdict(tmp_path, look(checkpoint="b", status="passed"))
    assert again.number == 2 and again.status == OPEN


def test_a_damaged_line_is_named(tmp_path):
    record_verdict(tmp_path, look())
    path = tmp_path / "phases" / "4" / FILE
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(LatentcompError, match="line 2: not a verdict") as caught:
        record_verdict(tmp_path, look(seed=2))
    assert "\n" not in str(caught.value)
