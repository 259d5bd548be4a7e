"""Checkpoints: safetensors and JSON, written aside and then named, so that none is ever half.

    checkpoint/latest.json          names the folder that counts: the commit record
    checkpoint/step-00000050/       model.safetensors  optimizer.safetensors  state.json

A kill at any moment leaves `latest.json` naming a complete folder.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from ..common import atomic
from ..common.errors import CheckpointError
from ..compressor.model import CompressionModel, ModelSpec
from .legacy import upgrade_state, upgrade_tensor
from .record import LATEST, TrialRecord
from .rounding import rounded

MODEL: Final = "model.safetensors"
OPTIMIZER: Final = "optimizer.safetensors"
STATE: Final = "state.json"
FORMAT_VERSION: Final = 2


class CheckpointState(BaseModel):
    """All of a checkpoint that is not tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    """Optimiser steps done."""
    spec: ModelSpec
    trial: TrialRecord | None
    """Recipe, seed, data and start: whatever decides how the trial goes on. None where a version
    before 0.2 did not keep it."""
    sha256: dict[str, str]
    """File -> hash, of the tensor files beside it."""
    seconds: float = 0.0
    """Spent of a budget of seconds, over all sessions of the run; 0 for a budget of steps, whose
    checkpoints are the same bytes however long they took."""
    finished: bool | None = None
    """Whether the budget was used up; None in checkpoints from before this was kept."""
    skipped_steps: int = 0
    """Steps whose gradient was not finite: they changed no weight."""
    format_version: int = FORMAT_VERSION
    """1: names of fields and tensors of versions before 0.2, see `train.legacy`."""

    @property
    def known_trial(self) -> TrialRecord:
        """The trial. Raises: CheckpointError, a version before 0.2 did not keep it."""
        if self.trial is None:
            raise CheckpointError(
                f"a checkpoint of step {self.step} does not say what it was trained by; train again"
            )
        return self.trial


class Checkpoint(BaseModel):
    """A checkpoint on disk that has been checked."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    state: CheckpointState

    def model(self) -> CompressionModel:
        """The trained model, float32, on the CPU."""
        model = self.state.spec.build()
        _load_into(model, self.folder / MODEL)
        return model

    def restore(self, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Put weights and optimisers back exactly as they were.

        Raises:
            CheckpointError: the optimiser was not kept with this checkpoint.
        """
        _load_into(model, self.folder / MODEL)
        file = self.folder / OPTIMIZER
        if not file.is_file():
            raise CheckpointError(f"{file} is missing: start a new run from this checkpoint")
        _restore_optimizers(optimizers, model, load_file(file))


def save_checkpoint(
    root: Path,
    step: int,
    model: CompressionModel,
    optimizers: Sequence[torch.optim.Optimizer],
    trial: TrialRecord | None,
    *,
    seconds: float = 0.0,
    finished: bool | None = None,
    skipped_steps: int = 0,
) -> Path:
    """Write a checkpoint, then make it the one that counts, then drop the older ones.

    Raises:
        LatentcompError: the disk is full or cannot be written; the last checkpoint stays.
    """
    folder = root / f"step-{step:08d}"
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    files = {MODEL: save(weights)}
    if optimizers:
        files[OPTIMIZER] = save(_optimizer_tensors(optimizers, model))
    for name, data in files.items():
        atomic.write_bytes(folder / name, data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    state = CheckpointState(
        step=step,
        spec=model.spec,
        trial=trial,
        sha256=hashes,
        seconds=seconds,
        finished=finished,
        skipped_steps=skipped_steps,
    )
    _commit(folder, state)
    return folder


def publish(source: Path, target: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Copy a checkpoint without its optimiser: enough to evaluate, or to begin another run.

    Args:
        source: a checkpoint, as `open_checkpoint` takes it; its optimiser may be gone.
        target: folder to be written; a checkpoint already there is replaced.
        dtype: that its weights are rounded to; a model is float32 again when it is opened.

    Raises:
        CheckpointError: the source is missing or damaged, or a weight too large for the dtype.
    """
    folder, state = _read_state(source)
    _check(folder / MODEL, state.sha256[MODEL])
    data = rounded((folder / MODEL).read_bytes(), dtype)
    kept = state.model_copy(update={"sha256": {MODEL: hashlib.sha256(data).hexdigest()}})
    copy = target / folder.name
    atomic.write_bytes(copy / MODEL, data)
    _commit(copy, kept)
    return copy


def _commit(folder: Path, state: CheckpointState) -> None:
    """Make `folder` the checkpoint that counts."""
    atomic.write_json(folder / STATE, state.model_dump(mode="json"))
    atomic.write_json(folder.parent / LATEST, {"folder": folder.name})
    drop_others(folder)


def drop_others(folder: Path) -> None:
    """Remove the checkpoints beside the one that counts, those that a kill left half included."""
    for other in folder.parent.glob("step-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint: a folder with `latest.json`, or one with `state.json`.

    Raises:
        CheckpointError: missing, damaged, or written by another version.
    """
    folder, state = _read_state(path)
    for name, expected in state.sha256.items():
        _check(folder / name, expected)
    return Checkpoint(folder=folder, state=state)


def read_state(path: Path) -> CheckpointState:
    """The record of a checkpoint; its tensors are not read.

    Raises:
        CheckpointError: missing, damaged, or written by another version.
    """
    return _read_state(path)[1]


def _read_state(path: Path) -> tuple[Path, CheckpointState]:
    folder = path
    if (path / LATEST).is_file():
        folder = path / str(_json(path / LATEST).get("folder"))
    if not (folder / STATE).is_file():
        raise CheckpointError(
            f"{path}: no checkpoint here; training leaves one in trials/RECIPE/seed-K/checkpoint"
        )
    try:
        state = CheckpointState.model_validate(upgrade_state(_json(folder / STATE)))
    except KeyError as error:
        raise CheckpointError(
            f"{folder / STATE}: field {error} is missing; it was written by another version"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CheckpointError(
            f"{folder / STATE}: field {where!r}: {first['msg']}; it was written by another version"
        ) from error
    return folder, state


def exists(path: Path) -> bool:
    """Whether a run has saved a checkpoint in this folder."""
    return (path / LATEST).is_file()


def _check(file: Path, expected: str) -> None:
    if not file.is_file():
        raise CheckpointError(f"{file} is missing; the checkpoint is not whole, train again")
    with file.open("rb") as data:
        actual = hashlib.file_digest(data, "sha256").hexdigest()
    if actual != expected:
        raise CheckpointError(
            f"{file} is damaged: sha256 {actual[:12]}..., recorded {expected[:12]}...; "
            "restore it from a copy or train again"
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); train again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds no JSON object; train again")
    return content


def _load_into(model: nn.Module, file: Path) -> None:
    try:
        tensors = load(file.read_bytes())
        model.load_state_dict({upgrade_tensor(name): value for name, value in tensors.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{file} does not fit or is damaged ({reason})") from error


def _optimizer_tensors(
    optimizers: Sequence[torch.optim.Optimizer], model: nn.Module
) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {weight: name for name, weight in model.named_parameters()}
    return {
        f"{names[weight]}/{key}": torch.as_tensor(value).contiguous().cpu()
        for optimizer in optimizers
        for weight, state in optimizer.state.items()
        for key, value in state.items()
    }


def _restore_optimizers(
    optimizers: Sequence[torch.optim.Optimizer], model: nn.Module, tensors: dict[str, Tensor]
) -> None:
    weights = dict(model.named_parameters())
    owners = {
        weight: optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    for name, tensor in tensors.items():
        owner, _, key = upgrade_tensor(name).rpartition("/")
        weight = weights[owner]
        optimizer = owners[weight]
        # AdamW keeps its step counter on the CPU unless it is fused.
        fused = bool(optimizer.param_groups[0].get("fused"))
        place = "cpu" if key == "step" and not fused else weight.device
        optimizer.state[weight][key] = tensor.to(place)
