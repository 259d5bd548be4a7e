"""CE utilisation as a table for the terminal: every family, those left out last and marked."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..numbers import figure, human, span
from .result import UtilisationCell, UtilisationResult

_SHOWN = ("ceiling", "floor", "compressed", "shuffled", "zero")


def print_utilisation(result: UtilisationResult, console: Console) -> None:
    """Nats an answer token by arm, then utilisation; lines on what a reader has to know."""
    counted = [name for name in result.families if name not in result.left_out]
    cells = [*result.families.values()]
    arms = [arm for arm in _SHOWN if arm in cells[0].nats]
    table = Table(
        title=f"{result.name}: {result.documents} documents, nats an answer token",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("family", no_wrap=True)
    last = "utilisation [95 %]" if "compressed" in arms else "gain [95 %]"
    for header in ("n", *arms, last):
        table.add_column(header, justify="right", no_wrap=True)
    for name in counted:
        table.add_row(*_row(name, result.families[name], arms))
    for name in result.left_out:
        table.add_row(*_row(f"({name})", result.families[name], arms), style="dim")
    if result.overall is not None:
        table.add_section()
        table.add_row(*_row("all", result.overall, arms), style="bold")
    console.print(table)
    for line in _lines(result):
        console.print(line)


def _row(name: str, cell: UtilisationCell, arms: list[str]) -> list[str]:
    kept = cell.utilisation.get("compressed")
    nats = [figure(cell.nats[arm].point) for arm in arms]
    return [name, str(cell.questions), *nats, span(kept or cell.gain)]


def _lines(result: UtilisationResult) -> list[Text]:
    lines: list[Text] = []
    if result.overall is None:
        lines.append(
            Text(
                "no family counts: the whole document does not clearly help with any, so nothing "
                "about what latents keep follows from these questions",
                style="yellow",
            )
        )
    if result.left_out:
        lines.append(
            Text(
                f"left out of all ({', '.join(result.left_out)}): the document does not save "
                f"{result.least_gain:g} nats a token at the lower end of its interval"
            )
        )
    if result.overall is not None:
        others = {
            arm: interval
            for arm, interval in result.overall.utilisation.items()
            if arm not in ("compressed",)
        }
        if others:
            parts = [f"{arm} {span(interval)}" for arm, interval in others.items()]
            lines.append(Text(f"utilisation of {', '.join(parts)}"))
        for what, cells in (("tokens", result.lengths), ("chunks since", result.ages)):
            kept = {
                name: cell.utilisation["compressed"]
                for name, cell in cells.items()
                if "compressed" in cell.utilisation
            }
            if len(kept) > 1:
                lines.append(
                    Text(f"by {what}: " + ", ".join(f"{n}: {span(i, 2)}" for n, i in kept.items()))
                )
    if result.bytes.latents is not None:
        lines.append(
            Text(
                f"{result.ratio:g}x ({figure(result.tokens_per_latent, 2)} tokens a latent); "
                f"latents {human(result.bytes.latents)}, text {human(result.bytes.text or 0)}"
            )
        )
    if result.overall is not None and "shuffled" in result.overall.utilisation:
        lines.append(self_check(result))
    return [*lines, *(Text(note, style="bold yellow") for note in result.notes)]


def self_check(result: UtilisationResult) -> Text:
    """Whether another document's latents are worth nothing; of a result with that arm."""
    assert result.overall is not None
    above = result.overall.above_shuffled
    more = f"; compressed - shuffled {span(above)}" if above else ""
    text, style = {
        True: ("self-check holds: another document's latents are worth nothing", "green"),
        False: ("SELF-CHECK FAILED: another document's latents are worth something", "bold red"),
        None: ("self-check open: more documents would tell what another's are worth", "yellow"),
    }[result.shuffled_at_floor]
    return Text(text + more, style=style)
