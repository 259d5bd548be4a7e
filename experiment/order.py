"""The order of the phases is binding: what has to be known before one may start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..common.atomic import file_sha256
from ..common.errors import CheckpointError, LatentcompError, PhaseError
from ..common.terminal import stderr_console
from ..train import checkpoint
from .gather import Gathered, gather, regather
from .history import read_history, standing
from .judge import weigh
from .phases import PHASES, Phase, phase
from .published import PUBLISHED, read_earlier, read_published
from .run_folder import EvaluationFolder, RunFolder, TrialFolder
from .suggest import evaluate_command, ladder_command
from .verdict import Status, Verdict

Verdicts = Mapping[int, Verdict]
"""Standing verdicts by phase."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """A verdict that another phase needs first."""

    phase: int
    """The earlier phase."""
    status: Status | None = None
    """The verdict it must have; None where any verdict that counts will do."""

    def met_by(self, verdicts: Verdicts) -> bool:
        """Whether the verdicts hold it. One that is thin satisfies no order."""
        verdict = verdicts.get(self.phase)
        if verdict is None or verdict.thin:
            return False
        # One that is borrowed lets the next phase begin, and shows nothing of this teacher.
        return self.status is None or (self.status == verdict.status and not _borrowed(verdict))

    def __str__(self) -> str:
        wanted = "whatever it says" if self.status is None else f"which must be {self.status}"
        return f"a verdict that counts on phase {self.phase}, {wanted}"


_EXTRA: Mapping[int, tuple[Prerequisite, ...]] = {8: (Prerequisite(1, "passed"),)}
"""Transfer makes sense only where the control got information through."""


def prerequisites(number: int) -> tuple[Prerequisite, ...]:
    """What a phase needs: a verdict on the one before it, and phase 8 a pass of phase 1."""
    known = [each.number for each in PHASES]
    before = (Prerequisite(number - 1),) if number - 1 in known else ()
    return _EXTRA.get(number, ()) + before


def missing(number: int, verdicts: Verdicts) -> tuple[Prerequisite, ...]:
    """Prerequisites that the verdicts do not meet, in the order of the phases."""
    return tuple(each for each in prerequisites(number) if not each.met_by(verdicts))


def require(
    number: int, verdicts: Verdicts, *, run: RunFolder, skip: bool = False
) -> tuple[int, ...]:
    """Lets a phase start, or says what has to come first.

    Args:
        number: of the phase that is to start.
        verdicts: those that stand.
        run: the run folder, for the command that the refusal suggests.
        skip: the explicit flag that lets it start anyway.

    Returns:
        The phases that were skipped on the way here, for every artifact that follows: earlier ones
        without a verdict or with a thin one, one that had to pass and did not, and what earlier
        verdicts inherited.

    Raises:
        PhaseError: a prerequisite is not met, and `skip` is not set.
    """
    unmet = missing(number, verdicts)
    if unmet and not skip:
        raise PhaseError(_first_step(number, unmet[0], verdicts, run))
    earlier = [each.number for each in PHASES if each.number < number]
    left_out = {one for one in earlier if one not in verdicts or verdicts[one].thin}
    left_out |= {needed.phase for needed in unmet}
    for one in earlier:
        left_out |= set(verdicts[one].skipped) if one in verdicts else set()
    return tuple(sorted(left_out))


def _first_step(number: int, needed: Prerequisite, verdicts: Verdicts, run: RunFolder) -> str:
    verdict = verdicts.get(needed.phase)
    instead = (
        f"run `{ladder_command(run, needed.phase)}`, which trains, evaluates and judges the "
        "phases in their order, or pass --skip-order, which is recorded in everything that follows"
    )
    if verdict is None:
        return f"phase {number} needs a verdict on phase {needed.phase} first: {instead}"
    if verdict.thin:
        return (
            f"phase {number} needs a verdict on phase {needed.phase} that counts, and the one "
            f"there is does not ({verdict.reason}): {instead}"
        )
    return (
        f"phase {number} needs phase {needed.phase} to have {needed.status}, and it is "
        f"{verdict.status} ({verdict.reason}): see docs/experiment_plan.md, section 6, or pass "
        "--skip-order, which is recorded in everything that follows"
    )


def tell_user(line: str) -> None:
    """One line on stderr."""
    stderr_console().print(line, style="yellow")


def standing_verdicts(
    run: RunFolder, teacher_sha256: str | None = None, tell: Tell = tell_user
) -> dict[int, Verdict]:
    """The verdicts that stand for a run: its own, and for the other phases the published ones.

    A verdict of the run counts where the weights that were judged lie there still, and where its
    answers, judged by the gate of today, give the same status again. Where every verdict that the
    run has on a phase is thin, or on another teacher, the published one stands.

    Args:
        run: the run folder.
        teacher_sha256: weights of the run's teacher, for published verdicts; None: without these.
        tell: gets a line for each verdict that is left out and each published one that is used.

    Raises:
        LatentcompError: a history is damaged; names the file and the line.
    """
    published = read_earlier(teacher_sha256) | read_published(teacher_sha256)
    verdicts: dict[int, Verdict] = {}
    for each in PHASES:
        verdict = standing_verdict(run, each.number, tell)
        if verdict is not None and not _is_on(verdict, teacher_sha256):
            tell(f"{run.verdicts(each.number)}: left out, it is on another teacher")
            verdict = None
        stands = published.get(each.number)
        if stands is not None and not _judged_here(run, each.number, teacher_sha256):
            verdict = stands if verdict is None or not stands.thin else verdict
        if verdict is not None:
            verdicts[each.number] = verdict
    return verdicts


def _is_on(verdict: Verdict, teacher_sha256: str | None) -> bool:
    """Whether a verdict is on this teacher, as far as both are known."""
    return teacher_sha256 is None or verdict.teacher_sha256 in (None, teacher_sha256)


def _borrowed(verdict: Verdict) -> bool:
    """Whether a verdict is one on an earlier stage of the teacher, as `read_earlier` marks it."""
    return verdict.phase in verdict.skipped


def _judged_here(run: RunFolder, number: int, teacher_sha256: str | None) -> bool:
    """Whether the run ever judged a phase on this teacher on all that the plan asks for.

    Also where that verdict is left out now: a published one must not make up for it.
    """
    return any(not one.thin and _is_on(one, teacher_sha256) for one in read_history(run, number))


def standing_verdict(run: RunFolder, number: int, tell: Tell = tell_user) -> Verdict | None:
    """The run's own verdict on a phase, if there is one that counts still; see above."""
    history = read_history(run, number)
    if not history:
        return None
    verdict = standing(history)
    if fault := outdated(run, verdict) or contradicted(run, verdict):
        tell(f"{run.verdicts(number)}: left out, {fault}")
        return None
    return verdict


def tell_published(number: int, verdicts: Verdicts, run: RunFolder, tell: Tell = tell_user) -> None:
    """Name the published verdicts that a phase rests on, and when they were made."""
    for one, verdict in verdicts.items():
        borrowed = _borrowed(verdict)
        if one >= number or not (
            borrowed or read_published(verdict.teacher_sha256).get(one) == verdict
        ):
            continue
        own = f"; the run's own ({run.verdicts(one)}) is thin" if read_history(run, one) else ""
        whose = (
            "an earlier stage of this teacher: what follows names the phase as skipped"
            if borrowed
            else "this teacher"
        )
        tell(
            f"phase {one}: {verdict.status} by the published verdict of "
            f"{verdict.made} ({PUBLISHED.parent.name}/{PUBLISHED.name}), which is on {whose}{own}"
        )


def tell_order(number: int, verdicts: Verdicts, run: RunFolder, tell: Tell = tell_user) -> None:
    """What a phase that begins in its turn rests on: published verdicts, and the rule itself."""
    tell_published(number, verdicts, run, tell)
    if line := why_it_goes_on(number, verdicts):
        tell(line)


def why_it_goes_on(number: int, verdicts: Verdicts) -> str:
    """One line where a phase may begin after one that did not pass; empty where all passed."""
    earlier = [verdicts[one] for one in sorted(verdicts) if one < number]
    others = [f"phase {one.phase}: {one.status}" for one in earlier if one.status != "passed"]
    if not others:
        return ""
    asks = " and ".join(map(str, prerequisites(number)))
    return (
        f"{', '.join(others)}; phase {number} may begin all the same, as the order asks for "
        f"{asks} (docs/experiment_plan.md, section 6)"
    )


def outdated(run: RunFolder, verdict: Verdict) -> str:
    """Why a verdict says nothing of the weights that lie in the run now; empty if it does."""
    least = phase(verdict.phase).gate.minimum.documents
    again = f"run `{evaluate_command(run, phase=verdict.phase, documents=least)}` again"
    judged = verdict.checkpoints or _legacy_checkpoints(verdict)
    if not judged:
        return f"it does not say which weights were judged; {again}"
    for name, sha256 in judged.items():
        recipe, _, seed = name.rpartition("/seed-")
        trial = run.trial(recipe, int(seed)) if seed else _legacy_trial(run, verdict)
        try:
            now = checkpoint.open_checkpoint(trial.checkpoint).state.sha256[checkpoint.MODEL]
        except CheckpointError as error:
            return f"its checkpoint cannot be opened ({error})"
        if now != sha256:
            return (
                f"it is on weights {sha256[:12]}..., and {trial.checkpoint} now holds "
                f"{now[:12]}...; {again}"
            )
    return ""


def contradicted(run: RunFolder, verdict: Verdict) -> str:
    """Why a verdict does not follow from the answers that lie in the run; empty if it does.

    Its answers are scored and judged again, by the gate of today.
    """
    judged = phase(verdict.phase)
    for name, sha256 in verdict.evaluations.items():
        answers = EvaluationFolder(run.path / name).answers
        if answers.is_file() and file_sha256(answers) != sha256:
            return f"its answers were changed since ({answers})"
    try:
        again = weigh(judged, _evidence_of(run, judged, verdict))
    except LatentcompError as error:
        return f"its evidence cannot be had again ({error})"
    if verdict.counts and not again.counts:
        return f"its evidence does not count by the gate of today ({again.reason})"
    closed = "closed as failed" in verdict.reason
    if verdict.counts and again.status != verdict.status and not closed:
        return f"it says {verdict.status}, and its answers say {again.status} ({again.reason})"
    return ""


def _evidence_of(run: RunFolder, judged: Phase, verdict: Verdict) -> Gathered:
    """The evaluations that a verdict names; those of its documents in records before 0.2."""
    if verdict.evaluations:
        return regather(run, judged, verdict.evaluations)
    return gather(run, judged, verdict.seed)


def _legacy_checkpoints(verdict: Verdict) -> dict[str, str]:
    return {"": verdict.checkpoint_sha256} if verdict.checkpoint_sha256 else {}


def _legacy_trial(run: RunFolder, verdict: Verdict) -> TrialFolder:
    name = f"phase-{verdict.phase}"
    trials = [trial for trial in run.trials(name) if trial.legacy]
    return trials[0] if trials else run.trial(name, 0)
