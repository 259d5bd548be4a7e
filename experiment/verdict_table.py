"""A verdict on one line of the terminal."""

from rich.text import Text

from .verdict import Verdict

STYLE = {"passed": "bold green", "failed": "bold red", "inconclusive": "bold yellow"}


def render_verdict(verdict: Verdict) -> Text:
    """The status in colour, the reason, and what it rests on."""
    seeds = len(set(verdict.seeds))
    return Text.assemble(
        (f"phase {verdict.phase}: {verdict.status}", STYLE[verdict.status]),
        f" — {verdict.reason} "
        f"({verdict.documents} documents, {verdict.n} questions, {seeds} training "
        f"{'seed' if seeds == 1 else 'seeds'})",
    )
