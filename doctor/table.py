"""The doctor's verdicts on the terminal."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .findings import Report, Status

_STYLE: dict[Status, str] = {"ok": "green", "failed": "bold red", "unknown": "yellow"}


def render(report: Report) -> RenderableType:
    """A row for each check: verdict, what was found, and the next step."""
    table = Table("check", "verdict", "found", title="doctor", title_justify="left")
    for verdict in report.verdicts:
        found = Text(verdict.found)
        if verdict.next_step:
            found.append(f"\nnext: {verdict.next_step}", style="cyan")
        status = Text(verdict.status, style=_STYLE[verdict.status])
        table.add_row(verdict.check, status, found)
    return table
