"""A compressor as a folder that can be given away: weights, record, model card.

model.safetensors    the weights
config.json          written last: what rebuilds them, where they come from, SHA-256 of both
README.md            the model card, made from config.json
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from .. import __version__
from ..common import atomic
from ..common.errors import CheckpointError
from ..common.provenance import collect
from ..experiment.shipped import shipped_folder, shipped_names
from ..train import checkpoint
from ..train.checkpoint import Checkpoint, CheckpointState
from .card import model_card

FORMAT: Final = "latentcomp-compressor"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
OWN: Final = "sha256"
"""Field of `config.json`: SHA-256 of the others. The first folders had none."""
_FIELDS: Final = {"format", "version", "latentcomp", "state", "provenance"}


@dataclass(frozen=True, slots=True)
class Opened:
    """A compressor on the disk, checked."""

    name: str
    """As it was asked for."""
    weights: Checkpoint
    run: Path | None = None
    """Run folder that it was trained in, where it lies in one."""


def open_compressor(name_or_path: str | Path) -> Opened:
    """Find a compressor: the name of a shipped one, a folder of `save_pretrained`, a trial.

    Args:
        name_or_path: `lab-4x`; or a folder: pretrained, a trial of a run, or its checkpoint.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    shipped = shipped_folder(str(name_or_path))
    path = Path(name_or_path).expanduser()
    if shipped is not None and not path.exists():
        return Opened(str(name_or_path), checkpoint.open_checkpoint(shipped))
    if (path / CONFIG).is_file():
        return Opened(str(name_or_path), _read(path))
    root = path / "checkpoint" if checkpoint.exists(path / "checkpoint") else path
    if not checkpoint.exists(root) and not (root / checkpoint.STATE).is_file():
        raise CheckpointError(
            f"{name_or_path}: no compressor here; give {' or '.join(shipped_names())}, a folder of "
            "save_pretrained, or a trial such as runs/lab/trials/phase-4/seed-0"
        )
    return Opened(str(name_or_path), checkpoint.open_checkpoint(root), _run_of(root))


def save_compressor(folder: Path, weights: Checkpoint) -> Path:
    """Write a compressor into a folder of its own; `config.json` comes last.

    Raises:
        CheckpointError: the folder holds something else.
        StoreError: the disk is full, and so on.
    """
    state = weights.state
    kept = state.model_copy(update={"sha256": {checkpoint.MODEL: state.sha256[checkpoint.MODEL]}})
    _refuse_others(folder, kept.sha256[checkpoint.MODEL])
    config = {
        "format": FORMAT,
        "version": 1,
        "latentcomp": __version__,
        "state": kept.model_dump(mode="json"),
        "provenance": collect({}, {"weights": kept.sha256[checkpoint.MODEL]}).model_dump(
            mode="json"
        ),
    }
    atomic.make_folder(folder)
    data = (weights.folder / checkpoint.MODEL).read_bytes()
    atomic.write_bytes(folder / checkpoint.MODEL, data)
    atomic.write_text(folder / CARD, model_card(kept))
    atomic.write_json(folder / CONFIG, {**config, OWN: _sha256(config)})
    return folder


def _refuse_others(folder: Path, sha256: str) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        if (folder / CONFIG).is_file() and _read(folder).state.sha256[checkpoint.MODEL] == sha256:
            return
        raise CheckpointError(f"{folder}: the folder holds something else; choose an empty one")


def _read(folder: Path) -> Checkpoint:
    config = _config(folder / CONFIG)
    try:
        state = CheckpointState.model_validate(config["state"])
    except (KeyError, ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CheckpointError(
            f"{folder / CONFIG}: the record is damaged or of another version ({reason}); save the "
            "compressor again"
        ) from error
    file, expected = folder / checkpoint.MODEL, state.sha256[checkpoint.MODEL]
    if not file.is_file():
        raise CheckpointError(f"{file} is missing; save the compressor again")
    if (actual := atomic.file_sha256(file)) != expected:
        raise CheckpointError(
            f"{file} is damaged: sha256 {actual[:12]}..., recorded {expected[:12]}...; save the "
            "compressor again, or restore it from a copy"
        )
    return Checkpoint(folder=folder, state=state)


def _config(file: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); save it again") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise CheckpointError(
            f"{file}: not of a compressor (format is not {FORMAT!r}); a model of transformers is a "
            "teacher or a reasoner, not a compressor"
        )
    if config.get("version") != 1:
        raise CheckpointError(
            f"{file}: version {config.get('version')!r} is not known here; read it with the "
            "latentcomp that wrote it"
        )
    others = {name: value for name, value in config.items() if name != OWN}
    if others.keys() != _FIELDS or config.get(OWN, _sha256(others)) != _sha256(others):
        raise CheckpointError(
            f"{file} is damaged: its SHA-256 is not that of its content; save the compressor "
            "again, or restore it from a copy"
        )
    return config


def _sha256(config: Mapping[str, Any]) -> str:
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _run_of(root: Path) -> Path | None:
    """RUN of RUN/trials/RECIPE/seed-K/checkpoint[/step-N]."""
    parents = root.absolute().parents
    for parent in parents:
        if parent.name == "trials":
            return parent.parent
    return None
