"""The plot of the ablations: how far retention falls without each part."""

from math import isnan
from pathlib import Path

from ..common import atomic
from ..experiment.grid_result import GridResult


def write_figure(result: GridResult, folder: Path) -> Path:
    """Write `ablations.svg`; returns its path."""
    import io

    from matplotlib.figure import Figure

    rows = [row for row in reversed(result.rows) if row.drop and not isnan(row.drop.point)]
    figure = Figure(figsize=(7, 0.4 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.6", linewidth=1)
    for place, row in enumerate(rows):
        assert row.drop is not None
        if not isnan(row.drop.low):
            axes.plot([row.drop.low, row.drop.high], [place, place], color="C0", linewidth=2)
        axes.plot([row.drop.point], [place], "o", color="C0")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    seeds = f"{len(result.seeds)} {'seed' if len(result.seeds) == 1 else 'seeds'}"
    axes.set_xlabel(
        f"fall of retention against {result.full} (simultaneous 95 %, "
        f"{seeds}, {result.documents} documents)"
    )
    image = io.StringIO()
    figure.savefig(image, format="svg")
    path = folder / "ablations.svg"
    atomic.write_text(path, image.getvalue())
    return path
