"""The training curve: JSON lines for programs, TensorBoard for people; truncated on resume."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from ..common import atomic


class CurveLog:
    """One line a step in `log.jsonl`, the same figures in `tensorboard/`."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Continue after `first_step`; later lines, written by a killed run, are dropped.

        Args:
            folder: of the training run.
            first_step: steps that the checkpoint holds.
        """
        self._file = folder / "log.jsonl"
        kept = [line for line in read_curve(folder) if line["step"] <= first_step]
        atomic.write_text(self._file, "".join(map(_json_line, kept)))
        self.seconds = float(kept[-1].get("seconds", 0.0)) if kept else 0.0
        """Seconds of training at the last line that was kept."""
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)

    def write(self, figures: Mapping[str, float]) -> None:
        """Append one step. `figures` holds `step` and every measured figure.

        A figure that is not finite is `null` in `log.jsonl` and itself in TensorBoard.
        """
        with self._file.open("a", encoding="utf-8") as out:
            out.write(_json_line(figures))
        for name, value in figures.items():
            if name != "step":
                self._board.add_scalar(name, value, int(figures["step"]))

    def close(self) -> None:
        """Flush and close the TensorBoard file."""
        self._board.close()


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Lines of `log.jsonl`, without a last line that a kill truncated.

    A figure that was not finite reads as NaN. Files of older versions, which hold the tokens `NaN`
    and `Infinity` instead of `null`, are read too.
    """
    file = folder / "log.jsonl"
    if not file.is_file():
        return []
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        lines.append({name: math.nan if value is None else value for name, value in line.items()})
    return lines


def _json_line(figures: Mapping[str, float]) -> str:
    """Valid JSON, which has no token for NaN and infinity."""
    finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return json.dumps(finite, allow_nan=False) + "\n"
