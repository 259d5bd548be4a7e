"""What latents are worth in nats: the measurements of CE utilisation that a run folder holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from markupsafe import Markup

from ..corpus.records import CONTINUATION
from ..evaluate.arms.table import in_order
from ..evaluate.stats import Interval
from ..evaluate.utilisation.result import UtilisationCell, UtilisationResult
from ..evaluate.utilisation.table import self_check
from ..experiment.run_folder import RunFolder
from .svg import ACCENT, INK, MUTED, WARN, blank, inline, style

COLORS = {"compressed": ACCENT, "truncation": MUTED, "bm25": INK, "shuffled": WARN}
"""Arms that are drawn, where they were measured."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Measurements of one trial on one corpus, by ratio."""

    trial: str
    """`real/seed-0`."""
    results: tuple[UtilisationResult, ...]
    """The newest of each ratio, ascending; at least one."""

    @property
    def cells(self) -> tuple[UtilisationCell, ...]:
        """Of each ratio, over the families that count; where none does, over the first."""
        return tuple(one.overall or next(iter(one.families.values())) for one in self.results)

    @property
    def arms(self) -> tuple[str, ...]:
        """Those with a share, in the order of every table."""
        return in_order(self.cells[0].utilisation)

    @property
    def corpus(self) -> str:
        """Which documents, as short as a reader needs to tell corpora apart."""
        source = self.results[0].corpus
        return (
            "documents that were not recorded" if source is None else f"corpus {source.sha256[:8]}"
        )

    @property
    def headline(self) -> str:
        """The share that is kept at every ratio: of continuations, the stricter figure, if any."""
        if self._ends:
            return f"{self._kept(self._ends)} of what the whole document saves on what follows it"
        return f"{self._kept(self.cells)} of what the whole document saves"

    @property
    def besides(self) -> str:
        """The share over questions too, where the headline is of continuations alone."""
        if not self._ends or len(self.results[0].families) == 1:
            return ""
        return f"Over questions and continuations together: {self._kept(self.cells)}."

    @property
    def _ends(self) -> tuple[UtilisationCell, ...]:
        """Of each ratio, over continuations; empty where they do not count."""
        if any(CONTINUATION in one.left_out for one in self.results):
            return ()
        known = [one.families.get(CONTINUATION) for one in self.results]
        return tuple(cell for cell in known if cell is not None)

    def _kept(self, cells: Sequence[UtilisationCell]) -> str:
        return ", ".join(
            f"{_share(cell)} at {one.ratio:g}x"
            for one, cell in zip(self.results, cells, strict=True)
        )

    @property
    def checks(self) -> tuple[tuple[str, bool | None], ...]:
        """The self-check of each ratio: what it says, and whether it holds."""
        return tuple(
            (f"{one.ratio:g}x {self_check(one).plain}", one.shuffled_at_floor)
            for one in self.results
            if one.overall is not None and "shuffled" in one.overall.utilisation
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know, each once."""
        return tuple(dict.fromkeys(note for one in self.results for note in one.notes))


def worths(run: RunFolder) -> tuple[Worth, ...]:
    """Every trial and corpus that was measured, by name.

    Raises:
        LatentcompError: a file is damaged.
    """
    newest: dict[tuple[str, str], dict[float, UtilisationResult]] = {}
    for trial in run.every():
        for path in trial.utilisations():
            result = UtilisationResult.read(path / "utilisation.json")
            if any("compressed" in cell.utilisation for cell in result.families.values()):
                corpus = "" if result.corpus is None else result.corpus.sha256
                newest.setdefault((str(trial), corpus), {})[result.ratio] = result
    return tuple(
        Worth(trial, tuple(by_ratio[ratio] for ratio in sorted(by_ratio)))
        for (trial, _), by_ratio in sorted(newest.items())
    )


def pictures(worth: Worth) -> list[tuple[str, Markup]]:
    """A drawing by length of the document and one by age of the passage, at the lowest ratio."""
    first = worth.results[0]
    titles = {
        f"CE utilisation by tokens of the document, {first.ratio:g}x": first.lengths,
        f"CE utilisation by chunks since the passage, {first.ratio:g}x": first.ages,
    }
    name = f"{worth.trial}, {worth.corpus}"
    return [
        (title, Markup(_curves(cells, f"{title}: {name}")))
        for title, cells in titles.items()
        if len(cells) > 1
    ]


def _share(cell: UtilisationCell) -> str:
    kept = cell.utilisation["compressed"]
    if isnan(kept.point):
        return "nothing that can be measured"
    ends = f" [{kept.low:.2f}, {kept.high:.2f}]" if kept.defined else ""
    return f"{kept.point:.2f}{ends}"


def _curves(cells: Mapping[str, UtilisationCell], title: str) -> str:
    arms = [arm for arm in COLORS if any(arm in cell.utilisation for cell in cells.values())]
    with style():
        figure, axes = blank(2.9)
        for level in (0.0, 1.0):
            axes.axhline(level, color=MUTED, linewidth=0.8)
        for arm in arms:
            points = _points(arm, list(cells.values()))
            for place, interval in points:
                if interval.defined:
                    ends = [interval.low, interval.high]
                    axes.plot([place, place], ends, color=COLORS[arm], linewidth=1.6)
            places = [place for place, _ in points]
            values = [interval.point for _, interval in points]
            axes.plot(places, values, "o-", color=COLORS[arm], linewidth=1.6, markersize=4)
            if points:
                axes.annotate(
                    arm, (places[-1], values[-1]), (8, -3), textcoords="offset points",
                    color=MUTED, fontsize=9,
                )  # fmt: skip
        counts = [f"{name}\nn={cell.questions:,}" for name, cell in cells.items()]
        axes.set_xticks(range(len(cells)), counts, fontsize=9)
        axes.set_xlim(-0.3, len(cells) - 0.2)
        return inline(figure, title)


def _points(arm: str, cells: Sequence[UtilisationCell]) -> list[tuple[int, Interval]]:
    return [
        (place, cell.utilisation[arm])
        for place, cell in enumerate(cells)
        if arm in cell.utilisation and not isnan(cell.utilisation[arm].point)
    ]
