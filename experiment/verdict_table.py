"""A verdict on one line of the terminal."""

from rich.text import Text

from ..evaluate.numbers import span
from .verdict import SiblingOutcome, Verdict

STYLE = {"passed": "bold green", "failed": "bold red", "inconclusive": "bold yellow"}


def render_verdict(verdict: Verdict) -> Text:
    """The status in colour, the reason, and what it rests on."""
    seeds = len(set(verdict.seeds))
    line = Text.assemble(
        (f"phase {verdict.phase}: {verdict.status}", STYLE[verdict.status]),
        f" — {verdict.reason} "
        f"({verdict.documents} documents, {verdict.n} questions, {seeds} training "
        f"{'seed' if seeds == 1 else 'seeds'})",
    )
    for outcome in verdict.siblings:
        line.append("\n").append_text(_sibling(outcome))
    return line


def _sibling(outcome: SiblingOutcome) -> Text:
    sign = ">" if outcome.bound == "low" else "<"
    figures = "not measured" if outcome.interval is None else span(outcome.interval)
    condition = f"{outcome.measure} {outcome.bound} {sign} {outcome.threshold:.2f}"
    return Text.assemble(
        f"  beside it: {condition}: {figures} ",
        (outcome.status, STYLE[outcome.status]),
    )
