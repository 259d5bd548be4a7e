"""Every verdict that was ever made on a phase of a run, and what it leaves open for the next one.

Sections 6.3 and 6.4 of docs/experiment_plan.md as pure functions: an inconclusive evaluation is
extended once, on new documents; every attempt is judged on documents of its own; after the third
the phase is closed. `phases/N/verdicts.jsonl` remembers, one verdict a line; what another run
folder holds is not seen from here.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ..common import atomic
from ..common.errors import LatentcompError
from .gates import ATTEMPTS, EXTENSION
from .order import phase_folder, write_verdict
from .verdict import Verdict

FILE: Final = "verdicts.jsonl"


def record_verdict(run: Path, measured: Verdict) -> Verdict:
    """Rules on a verdict by those before it, and records it.

    Appends what came of it to `phases/N/verdicts.jsonl` and keeps in `phases/N/verdict.json` the
    one that holds.

    Returns:
        The verdict that holds: an earlier one of the same checkpoint where that stands.

    Raises:
        LatentcompError: the earlier verdicts cannot be read, or the disk is full.
    """
    path = phase_folder(run, measured.phase) / FILE
    earlier = read_history(path)
    entry = rule(measured, earlier)
    lines = [one.model_dump_json() + "\n" for one in (*earlier, entry)]
    atomic.write_text(path, "".join(lines))
    held = standing(entry, earlier)
    write_verdict(run, held)
    return held


def read_history(path: Path) -> tuple[Verdict, ...]:
    """All verdicts of a phase, the oldest first; none where there is no file.

    Raises:
        LatentcompError: a line is damaged; names it.
    """
    if not path.exists():
        return ()
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Verdict.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            raise LatentcompError(
                f"{path}, line {number}: not a verdict ({first['msg']}); restore the file from a "
                "copy, or train and evaluate in another --run"
            ) from error
    return tuple(found)


def clear_phase(folder: Path) -> None:
    """Remove what a run holds of a phase, but not that it was judged before.

    Raises:
        LatentcompError: the folder cannot be written.
    """
    with atomic.disk_errors(folder):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != FILE:
                path.unlink()


def rule(measured: Verdict, earlier: Sequence[Verdict]) -> Verdict:
    """What a verdict is worth after those before it.

    The same evaluation made again (weights, documents, ratio) is a repeat and no new look.

    Args:
        measured: as its own figures have it.
        earlier: of the same phase and run, the oldest first.
    """
    looks = _looks(measured, earlier)
    number = len(looks) + 1
    change: dict[str, object] = {"number": number}
    if measured.counts and (breach := _breach(measured, looks)):
        change |= {"status": "inconclusive", "counts": False, "reason": breach}
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


def standing(entry: Verdict, earlier: Sequence[Verdict]) -> Verdict:
    """The verdict that holds once `entry` is there: one that does not count displaces none."""
    own = [one for one in earlier if _counts(one, entry)]
    if entry.counts or not own:
        return entry
    held = own[-1]
    return held.model_copy(
        update={"number": entry.number, "reason": f"{held.reason}; it stands: {entry.reason}"}
    )


def _looks(measured: Verdict, earlier: Sequence[Verdict]) -> list[Verdict]:
    """The different evaluations before this one; of repeats the first."""
    found: dict[object, Verdict] = {}
    for one in earlier:
        found.setdefault(_look(one), one)
    found.pop(_look(measured), None)
    return list(found.values())


def _look(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.checkpoint_sha256, verdict.corpus_sha256, verdict.ratio)


def _counts(one: Verdict, other: Verdict) -> bool:
    return one.counts and one.checkpoint_sha256 == other.checkpoint_sha256


def _breach(measured: Verdict, looks: Sequence[Verdict]) -> str:
    """Which rule a further evaluation breaks; empty if none."""
    own = [one for one in looks if _counts(one, measured)]
    for one in own:
        if one.status != "inconclusive":
            return (
                f"this checkpoint was judged already on seed {one.seed} ({one.status}, "
                f"{one.documents} documents), and is judged once"
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
    if measured.seed in others:
        return (
            f"documents of seed {measured.seed} were seen by an earlier checkpoint of this "
            "phase; every attempt is judged on another --seed"
        )
    return ""


def _closed(measured: Verdict, looks: Sequence[Verdict]) -> bool:
    """Whether as many other checkpoints as the plan allows were judged, and none of them passed."""
    last = {
        one.checkpoint_sha256: one.status
        for one in looks
        if one.counts and one.checkpoint_sha256 != measured.checkpoint_sha256
    }
    return len(last) >= ATTEMPTS and "passed" not in last.values()
