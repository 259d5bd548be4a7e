"""One document of the demo: where it is cut, how it goes on, and what that costs each reader."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .utilisation import COSTS

if TYPE_CHECKING:
    from rich.console import Console

    from ..corpus.records import Document

BEFORE: Final = 240
"""Characters of the document that are shown before the cut."""
_WIDTH: Final = 96
_SHOWN: Final = {
    "ceiling": "the whole document",
    "compressed": "latents",
    "shuffled": "another document's latents",
    "floor": "nothing",
}
"""Arm -> what it reads, in the order of the lines."""


def print_example(
    document: "Document", measured: Sequence[tuple[float, Path]], console: "Console"
) -> None:
    """Print the cut of a document, and nats a token of its continuation by arm.

    Args:
        document: with its continuation as the last question.
        measured: ratio and folder of each measurement of it.
        console: where to.
    """
    answer = document.questions[-1].answer
    console.print(f"\nfor example {document.document_id}, which ends")
    console.print(_block(f"... {document.text[-BEFORE:]}"))
    console.print("and goes on")
    console.print(_block(answer))
    for line in cost_lines(document, measured):
        console.print(line)


def cost_lines(document: "Document", measured: Sequence[tuple[float, Path]]) -> list[str]:
    """Nats a token of the document's continuation, a line an arm and ratio."""
    name = document.questions[-1].question_id
    lines: dict[str, str] = {}
    for ratio, folder in measured:
        costs = {row["arm"]: row for row in _rows(folder) if row["question_id"] == name}
        for arm, reads in _SHOWN.items():
            what = reads if arm in ("ceiling", "floor") else f"{reads} at {ratio:g}x"
            nats = -costs[arm]["log_likelihood"] / costs[arm]["tokens"]
            lines[what] = f"  {nats:5.2f} nats a token behind {what}"
    order = list(_SHOWN.values())
    return [lines[what] for what in sorted(lines, key=lambda one: _place(one, order))]


def _place(what: str, order: list[str]) -> int:
    return next(number for number, reads in enumerate(order) if what.startswith(reads))


def _rows(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(folder / COSTS).to_pylist()
    return rows


def _block(text: str) -> str:
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH)
    return "\n".join(f"  | {line}" for line in lines)
