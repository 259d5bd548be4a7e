"""Tables of what a memory keeps as a document arrives: alone, and against one written at once."""

from collections.abc import Iterator
from typing import Final

from ..evaluate.cell import Cell
from ..evaluate.compare import PairedCell
from ..evaluate.past import BREAKDOWNS
from ..evaluate.result import EvaluationResult

LABELS: Final = {
    "ages": "chunks behind the answer",
    "overrides": "values that were replaced",
    "steps": "chunks read",
}
"""Field of `Past` -> what its cells are by."""
Against = dict[str, dict[str, PairedCell]]
"""By field of `Past` and by bin."""


def past_rows(result: EvaluationResult) -> list[tuple[str, str, Cell]]:
    """(what it is by, bin, its figures), in order; none where there is one age alone."""
    past = result.past
    if past is None or len(past.ages) < 2:
        return []
    cells: dict[str, dict[str, Cell]] = {what: getattr(past, what) for what in BREAKDOWNS}
    return [(LABELS[what], name, cell) for what in cells for name, cell in cells[what].items()]


def against_rows(against: Against) -> Iterator[tuple[str, str, PairedCell]]:
    """(what it is by, bin, its figures) of a comparison, in order."""
    for what, cells in against.items():
        for name, cell in cells.items():
            yield LABELS[what], name, cell
