"""The evaluation as a table for the terminal, with the instrument's check of itself below it."""

from collections.abc import Sequence
from math import isnan

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .arms.table import REQUIRED_ARMS, in_order
from .break_lines import break_lines
from .cells import Cell
from .heading import heading, order_note
from .measures import HEADROOM
from .numbers import UNMEASURED, figure, human, span
from .result import EvaluationResult
from .sizes import Bytes


def render(result: EvaluationResult) -> RenderableType:
    """Rows by family, totals, sizes, and the self-check line."""
    parts: list[RenderableType] = [Text(heading(result), style="italic"), _table(result)]
    if any(arm not in REQUIRED_ARMS for arm in result.arms):
        parts.append(_other_arms(result))
    if result.bytes.latents is not None:
        parts.append(Text(sizes_line(result)))
    parts += [Text(line) for line in break_lines(result)]
    parts.append(_self_check(result))
    parts += [Text(note, style="bold yellow") for note in remarks(result)]
    if result.unjudged:
        parts.append(Text(f"no verdict: {result.unjudged}", style="yellow"))
    return Group(*parts)


def print_result(result: EvaluationResult, console: Console | None = None) -> None:
    """Prints what `render` makes."""
    (console or Console()).print(render(result))


def _table(result: EvaluationResult) -> Table:
    arms = [arm for arm in REQUIRED_ARMS if arm in result.arms]
    headers = ["n", *arms, "stale"]
    if "compressed" in result.overall.retention:
        headers.append("retention [95 %]")
    # Narrow padding and no wrapping: all of it fits a terminal of 80 columns.
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("family", no_wrap=True)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    rows = [*result.families.items()]
    for index, (name, cell) in enumerate(rows):
        table.add_row(*_row(name, cell, arms, result), end_section=index == len(rows) - 1)
    table.add_row(*_row("all", result.overall, arms, result), style="bold")
    return table


def _row(name: str, cell: Cell, arms: Sequence[str], result: EvaluationResult) -> list[str]:
    row = [name, str(cell.questions), *(figure(cell.accuracy[arm].point) for arm in arms)]
    row.append(figure(cell.stale_rate[result.headline].point))
    if kept := cell.retention.get("compressed"):
        row.append(span(kept, 2))
    return row


def _other_arms(result: EvaluationResult) -> Text:
    others = [arm for arm in in_order(result.arms) if arm not in REQUIRED_ARMS]
    return Text("also: " + ", ".join(f"{arm} {span(result.arms[arm])}" for arm in others))


def _self_check(result: EvaluationResult) -> Text:
    check = result.checks["shuffled_at_floor"]
    style = {True: "green", False: "bold red", None: "yellow"}[check.passed]
    return Text(check.message, style=style)


def remarks(result: EvaluationResult) -> tuple[str, ...]:
    """What a reader of the figures has to know, a line each."""
    siblings = (check.sibling for check in result.checks.values())
    lines = (
        *siblings,
        headroom_note(result),
        ceiling_note(result),
        small_sample_note(result),
        order_note(result),
        *result.notes,
    )
    return tuple(line for line in lines if line)


FEW_DOCUMENTS = 100
"""Below this, intervals are too narrow by more than a rounding: by how much was simulated
(benchmarks/interval_coverage.py, docs/results/interval_coverage.json)."""


def small_sample_note(result: EvaluationResult) -> str:
    """What a percentile bootstrap over few documents is worth."""
    if result.documents >= FEW_DOCUMENTS:
        return ""
    return (
        f"{result.documents} documents: a percentile interval over fewer than about "
        f"{FEW_DOCUMENTS} covers less than 95 %"
    )


LOW_CEILING = 0.90
"""Below this, a retention is shown with what it is silent about."""


def ceiling_note(result: EvaluationResult) -> str:
    """What a retention cannot speak of: questions that the full text does not answer either."""
    if "compressed" not in result.overall.retention or not result.ceiling < LOW_CEILING:
        return ""
    room = result.contrasts.get("ceiling_minus_floor")
    if room is not None and not room.low > 0:  # `headroom_note` says it
        return ""
    silent = [name for name, cell in result.families.items() if _unmeasurable(cell)]
    families = f", and of {', '.join(silent)} altogether" if silent else ""
    return (
        f"the ceiling is {figure(result.ceiling)}: retention is silent about the "
        f"{1 - result.ceiling:.0%} of the questions that this reasoner gets wrong with the whole "
        f"document{families}"
    )


def headroom_note(result: EvaluationResult) -> str:
    """What follows from figures whose ceiling is not clearly above the floor: nothing."""
    room = result.contrasts.get("ceiling_minus_floor")
    if room is None or room.point > HEADROOM:
        return ""
    figures = f"ceiling {figure(result.ceiling)}, floor {figure(result.floor)}"
    keep = "about what latents keep follows from these questions"
    if not room.low > 0:
        return f"{figures}: the whole document helps with no question, so nothing {keep}"
    return f"{figures}: less than {HEADROOM:.2f} between them, so little {keep}"


def _unmeasurable(cell: Cell) -> bool:
    kept = cell.retention.get("compressed")
    return kept is None or isnan(kept.point)


def sizes_line(result: EvaluationResult) -> str:
    """The ratio in tokens and in bytes: latents against stored states against the text."""
    return (
        f"ratio {figure(result.ratio, 0)}x nominal, {figure(result.tokens_per_latent)} tokens per "
        f"latent measured; bytes a document: {bytes_line(result.bytes, result.readings)}"
    )


def bytes_line(sizes: Bytes, documents: int) -> str:
    """Mean bytes a document in the three forms; says when latents outweigh the text."""
    if sizes.latents is None or sizes.states is None or sizes.text is None:
        return UNMEASURED
    times = sizes.latents / sizes.text if sizes.text else float("nan")
    return (
        f"latents {human(sizes.latents / documents)}, "
        f"teacher states {human(sizes.states / documents)}, "
        f"text {human(sizes.text / documents)} (latents are {figure(times, 1)}x the text)"
    )
