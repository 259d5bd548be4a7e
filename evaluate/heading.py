"""What stands above the figures of an evaluation: what was measured, and on what."""

from .result import EvaluationResult

LATENTS = "compressed"


def heading(result: EvaluationResult) -> str:
    """Such as `phase 4, training seed 0: 200 held-out documents, seed 7`."""
    return f"{_measured(result)}: {result.documents_line}"


def _measured(result: EvaluationResult) -> str:
    """By the arms that were asked, and not by what the record lacks."""
    if LATENTS not in result.arms:
        return "teacher alone"
    phase = "" if result.phase is None else f"phase {result.phase}"
    return ", ".join(part for part in (phase, result.subject) if part) or "a compressor"


def order_note(result: EvaluationResult) -> str:
    """One line where a training began before its turn, or that of its ancestors did; else empty."""
    if not result.skipped:
        return ""
    phases = "phase" if len(result.skipped) == 1 else "phases"
    return (
        "out of order: when these weights, or those that they began with, were trained, "
        f"{phases} {', '.join(map(str, result.skipped))} lacked the verdict that the order asks for"
    )
