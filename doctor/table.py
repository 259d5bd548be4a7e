"""The report as a table for the terminal."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .findings import Report, Status

_STYLE: dict[Status, str] = {"ok": "green", "failed": "bold red", "unknown": "yellow"}


def render(report: Report) -> RenderableType:
    """One row a check: verdict, result and next step."""
    table = Table("check", "verdict", "found", title="doctor", title_justify="left")
    for result in report.verdicts:
        text = Text(result.observed)
        if result.next_step:
            text.append(f"\nnext: {result.next_step}", style="cyan")
        status = Text(result.status, style=_STYLE[result.status])
        table.add_row(result.check, status, text)
    return table
