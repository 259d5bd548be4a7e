"""Measurements of one compressor at several ratios as one small table: a row an arm."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..arms.table import ARMS, REFERENCE_ARMS, WHOLE_ARMS
from ..numbers import figure, span
from .result import UtilisationCell, UtilisationResult
from .table import self_check

_LEAST_WIDTH: Final = 88
"""Columns of a terminal; in fewer, an interval below zero would be cut."""


def print_by_ratio(results: Sequence[UtilisationResult], console: Console) -> None:
    """CE utilisation of each arm that depends on the ratio, and lines on what one has to know.

    Args:
        results: of the same documents and arms; at least one.
        console: where to.
    """
    cells = [_cell(result) for result in results]
    table = Table(
        title=f"{results[0].name}: {results[0].documents} documents, CE utilisation [95 %]",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("the reader has", no_wrap=True)
    for result in results:
        table.add_column(f"{result.ratio:g}x", justify="right", no_wrap=True)
    for arm in (name for name in ARMS if name in cells[0].utilisation.keys() - {*WHOLE_ARMS}):
        values = (span(cell.utilisation[arm], 2) for cell in cells)
        table.add_row(ARMS[arm].label, *values)
    width, console.width = console.width, max(console.width, _LEAST_WIDTH)
    console.print(table)
    console.width = width
    for line in _lines(results, cells[0]):
        console.print(line)


def _cell(result: UtilisationResult) -> UtilisationCell:
    """Over the families that count; where none does, the first, which a line marks."""
    return result.overall or next(iter(result.families.values()))


def _lines(results: Sequence[UtilisationResult], cell: UtilisationCell) -> list[Text]:
    ceiling, floor = (figure(cell.nats[arm].point, 2) for arm in REFERENCE_ARMS)
    lines = [
        Text(
            f"a token of the answer costs {ceiling} nats behind the whole document (1 in this "
            f"table) and {floor} without it (0): {span(cell.gain, 2)} nats to keep"
        )
    ]
    if results[0].overall is None:
        lines.append(
            Text(
                f"left out by the rule: the document does not save {results[0].least_gain:g} nats "
                "a token at the lower end of its interval, so these figures say little",
                style="yellow",
            )
        )
    for result in results:
        if result.overall is not None and "shuffled" in result.overall.utilisation:
            lines.append(Text(f"{result.ratio:g}x ").append(self_check(result)))
    notes = dict.fromkeys(note for result in results for note in result.notes)
    return [*lines, *(Text(note, style="bold yellow") for note in notes)]
