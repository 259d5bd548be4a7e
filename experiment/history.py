"""Every verdict that was ever made on a phase of a run, and what it leaves open for the next one.

Sections 6.3 and 6.4 of docs/experiment_plan.md as pure functions: an inconclusive evaluation is
extended once, on new documents; every attempt is judged on documents of its own; after the third
the phase is closed. The history is append-only, one verdict a line.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ..common.journal import append_line, read_lines
from .looks import Look
from .run_folder import RunFolder
from .verdict import Verdict

EXTENSION: Final = 4
"""An inconclusive evaluation is extended once, to this many times the documents."""
ATTEMPTS: Final = 3
"""Attempts after which a failed phase is closed."""


def record_verdict(run: RunFolder, measured: Verdict, seen: Mapping[int, Look]) -> Verdict:
    """Rules on a verdict by those before it, and appends it to the history.

    Args:
        run: the run folder.
        measured: as its own figures have it.
        seen: seeds of held-out documents that other weights of the phase's recipe were measured
            on, with or without a verdict.

    Returns:
        The verdict that holds: an earlier one of the same weights where that stands.

    Raises:
        LatentcompError: the earlier verdicts cannot be read, or the disk is full.
    """
    earlier = read_history(run, measured.phase)
    entry = rule(measured, earlier, seen)
    append_line(run.verdicts(measured.phase), entry)
    return standing((*earlier, entry))


def read_history(run: RunFolder, phase: int) -> tuple[Verdict, ...]:
    """All verdicts on a phase, the oldest first; those of versions before 0.2 included.

    Raises:
        LatentcompError: a line is damaged; names it.
    """
    older = read_lines(Verdict, run.legacy_verdicts(phase))
    return (*older, *read_lines(Verdict, run.verdicts(phase)))


def rule(
    measured: Verdict, earlier: Sequence[Verdict], seen: Mapping[int, Look] | None = None
) -> Verdict:
    """What a verdict is worth after those before it.

    The same evaluation made again (weights, documents, ratio) is a repeat and no new look.

    Args:
        measured: as its own figures have it.
        earlier: of the same phase and run, the oldest first.
        seen: seeds of documents on which other weights of the recipe were measured.
    """
    looks = _looks(measured, earlier)
    number = len(looks) + 1
    change: dict[str, object] = {"number": number}
    breach = _other_outcome(measured, earlier) or _breach(measured, looks, seen or {})
    if measured.counts and breach:
        change |= {"status": "inconclusive", "counts": False, "thin": True, "reason": breach}
    elif measured.counts and _closed(measured, looks):
        change |= {
            "status": "failed",
            "reason": f"the phase was closed as failed after {ATTEMPTS} attempts; this one by "
            f"itself: {measured.status}, {measured.reason}",
        }
    if number > 1:
        reason = change.get("reason", measured.reason)
        change["reason"] = f"{reason} (evaluation {number} of this phase in this run)"
    return measured.model_copy(update=change)


def standing(history: Sequence[Verdict]) -> Verdict:
    """The verdict that holds after the last one: one that does not count displaces none.

    Raises:
        ValueError: an empty history.
    """
    if not history:
        raise ValueError("no verdict")
    *earlier, entry = history
    own = [one for one in earlier if _counts(one, entry)]
    if entry.counts or not own:
        return entry
    held = own[-1]
    return held.model_copy(
        update={"number": entry.number, "reason": f"{held.reason}; it stands: {entry.reason}"}
    )


def _looks(measured: Verdict, earlier: Sequence[Verdict]) -> list[Verdict]:
    """The different evaluations before this one; of repeats the first."""
    unique: dict[object, Verdict] = {}
    for one in earlier:
        unique.setdefault(_look(one), one)
    unique.pop(_look(measured), None)
    return list(unique.values())


def _look(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.checkpoint_sha256, verdict.corpus_sha256, verdict.ratio)


def _counts(one: Verdict, other: Verdict) -> bool:
    return one.counts and one.checkpoint_sha256 == other.checkpoint_sha256


def _other_outcome(measured: Verdict, earlier: Sequence[Verdict]) -> str:
    """Why a repeat is not believed: by the same gate it came out otherwise; empty if it did not."""
    for one in earlier:
        same = _look(one) == _look(measured) and one.gate_sha256 == measured.gate_sha256
        if one.counts and same and one.status != measured.status:
            return (
                f"the same evaluation was judged already and {one.status}; its answers came out "
                "otherwise now, or were changed"
            )
    return ""


def _breach(measured: Verdict, looks: Sequence[Verdict], seen: Mapping[int, Look]) -> str:
    """Which rule a further evaluation breaks; empty if none."""
    own = [one for one in looks if _counts(one, measured)]
    for one in own:
        if one.status != "inconclusive":
            return (
                f"these weights were judged already on seed {one.seed} ({one.status}, "
                f"{one.documents} documents), and are judged once"
            )
    if len(own) > 1:
        return "an inconclusive evaluation is extended once, and this one was"
    for one in own:
        least = EXTENSION * one.documents
        if measured.seed == one.seed or measured.documents < least:
            return (
                f"the evaluation on seed {one.seed} was inconclusive and is extended once, to at "
                f"least {least} documents on another --seed"
            )
    others = {one.seed for one in looks if one.checkpoint_sha256 != measured.checkpoint_sha256}
    if measured.seed in others or measured.seed in seen:
        look = seen.get(measured.seed) if measured.seed is not None else None
        when = f" ({look.trial}, {look.made})" if look else ""
        return (
            f"documents of seed {measured.seed} were seen by earlier weights of this "
            f"phase{when}; every attempt is judged on another --seed"
        )
    return ""


def _closed(measured: Verdict, looks: Sequence[Verdict]) -> bool:
    """Whether as many other weights as the plan allows were judged, and none of them passed."""
    last = {
        one.checkpoint_sha256: one.status
        for one in looks
        if one.counts and one.checkpoint_sha256 != measured.checkpoint_sha256
    }
    return len(last) >= ATTEMPTS and "passed" not in last.values()
