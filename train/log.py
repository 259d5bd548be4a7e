"""The training curve: JSON lines for programs, TensorBoard for people, cut back on resume."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from ..common import atomic


class CurveLog:
    """One line a step in `log.jsonl`, the same figures in `tensorboard/`."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Go on from `first_step`; what a killed run wrote beyond it is dropped.

        Args:
            folder: of the phase.
            first_step: steps that the checkpoint holds.
        """
        self._file = folder / "log.jsonl"
        kept = [line for line in read_curve(folder) if line["step"] <= first_step]
        atomic.write_text(self._file, "".join(json.dumps(line) + "\n" for line in kept))
        self.seconds = float(kept[-1].get("seconds", 0.0)) if kept else 0.0
        """Of training behind the last line that was kept."""
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)

    def write(self, figures: Mapping[str, float]) -> None:
        """Add one step; `figures` holds `step` and whatever was measured."""
        with self._file.open("a") as out:
            out.write(json.dumps(dict(figures)) + "\n")
        for name, value in figures.items():
            if name != "step":
                self._board.add_scalar(name, value, int(figures["step"]))

    def close(self) -> None:
        """Write out what is buffered."""
        self._board.close()


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """Lines of `log.jsonl`; a last line that a kill cut short is left out."""
    file = folder / "log.jsonl"
    if not file.is_file():
        return []
    lines = []
    for text in file.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
