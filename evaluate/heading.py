"""What stands above the figures of an evaluation: what was measured, and on what."""

from .result import EvaluationResult

LATENTS = "compressed"


def heading(result: EvaluationResult) -> str:
    """Such as `phase 4, training seed 0: 200 held-out documents, seed 7`."""
    return f"{_measured(result)}: {documents_line(result)}"


def documents_line(result: EvaluationResult) -> str:
    """What was read: `200 held-out documents, seed 7` or `12 documents of mine.jsonl`."""
    parts = f" in {result.beginnings} beginnings" if result.beginnings else ""
    if path := result.corpus and result.corpus.path:
        return f"{result.documents} documents of {path}{parts}"
    return f"{result.documents} held-out documents{parts}, seed {result.seed}"


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
