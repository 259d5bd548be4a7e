"""Which weights a training begins with: fresh ones, shipped ones, or those of a checkpoint."""

from pathlib import Path
from typing import Any

from ..common.errors import CheckpointError
from ..compressor.model import CompressionModel, ModelSpec
from ..experiment.shipped import SHIPPED, shipped_by
from ..models.names import shown_name
from ..train import checkpoint
from ..train.record import Start
from .levers import levers
from .trial_request import TrialRequest


def begun(request: TrialRequest, spec: ModelSpec) -> tuple[CompressionModel, Start]:
    """A model to begin with, and where it came from.

    Args:
        request: names the weights, and whether they have to be of the same spec (`strict`).
        spec: what is trained.

    Raises:
        CheckpointError: the weights are missing, damaged, or of another spec.
    """
    fresh = Start(origin="fresh", seed=request.seed)
    shipped = shipped_by(request.recipe.name)
    if request.start == "fresh" or (request.start == "auto" and not shipped):
        return spec.build(), fresh
    path, ancestor = _ancestor(request, spec, shipped)
    begun_at = Start(
        origin="shipped" if path in shipped else "checkpoint",
        steps=ancestor.state.step,
        sha256=ancestor.state.sha256[checkpoint.MODEL],
        history=ancestor.state.trial,
    )
    # The shape alone must agree: a renamed model is the same model.
    if _fits(ancestor, spec):
        return ancestor.model(), begun_at
    if request.start == "auto":
        return spec.build(), fresh
    if request.strict:
        raise CheckpointError(_misfit(path, ancestor.state, request, spec))
    model, left_fresh = _with_what_fits(path, ancestor, spec)
    differs = _differences(_tensors(ancestor.state.spec), _tensors(spec))
    return model, begun_at.model_copy(update={"differs": differs, "fresh": left_fresh})


def _with_what_fits(
    path: Path, ancestor: checkpoint.Checkpoint, spec: ModelSpec
) -> tuple[CompressionModel, tuple[str, ...]]:
    """A model with the tensors of a checkpoint that it has in the same shape, and the others."""
    model, given = spec.build(), ancestor.model().state_dict()
    own = model.state_dict()
    taken = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if not any(name.startswith("compressor.") for name in taken):
        raise CheckpointError(
            f"{path}: no tensor of its compressor has the name and shape of one of "
            f"{spec.config.kind!r} for {shown_name(spec.teacher)!r}; give --start fresh"
        )
    model.load_state_dict(taken, strict=False)
    return model, tuple(name for name in own if name not in taken)


def _differences(there: dict[str, Any], here: dict[str, Any], at: str = "") -> dict[str, list[Any]]:
    """Dotted field -> what it is there and here, of all that differ."""
    differing: dict[str, list[Any]] = {}
    for key in dict.fromkeys([*there, *here]):
        old, new = there.get(key), here.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            differing |= _differences(old, new, f"{at}{key}.")
        elif old != new:
            differing[f"{at}{key}"] = [old, new]
    return differing


def _misfit(
    path: Path, state: checkpoint.CheckpointState, request: TrialRequest, spec: ModelSpec
) -> str:
    """Why weights cannot be begun with, and what to give instead."""
    differ = levers(state, request.trained)
    # Where the recipe alone differs, the trial can be that of the checkpoint.
    there, here = ({**_tensors(each), "config": None} for each in (state.spec, spec))
    if differ and there == here:
        flags = " ".join(f"--set {each}" for each in differ)
        return (
            f"{path} was trained as {request.recipe.name} with other settings; give `{flags}`, or "
            "--start fresh, or --no-strict to take the tensors that fit"
        )
    return (
        f"{path} was trained for {shown_name(state.spec.teacher)!r}"
        f"{f' as {state.trial.recipe.name}' if state.trial else ''}; it does not fit "
        f"{request.trained.name} of {spec.teacher.name!r}; give --start fresh, or --no-strict to "
        "take the tensors that fit"
    )


def _ancestor(
    request: TrialRequest, spec: ModelSpec, shipped: tuple[Path, ...]
) -> tuple[Path, checkpoint.Checkpoint]:
    """The checkpoint that is named; of shipped ones that which fits, else the lab teacher's."""
    if request.start not in ("auto", "shipped"):
        named = Path(request.start)
        return named, checkpoint.open_checkpoint(named)
    paths = shipped or (SHIPPED / request.recipe.name,)
    opened = [(path, checkpoint.open_checkpoint(path)) for path in paths]
    return next((each for each in opened if _fits(each[1], spec)), opened[0])


def _fits(ancestor: checkpoint.Checkpoint, spec: ModelSpec) -> bool:
    return _tensors(ancestor.state.spec) == _tensors(spec)


def _tensors(spec: ModelSpec) -> dict[str, Any]:
    # The RMS differs in its last bits from one kind of device to another, and once trained it is
    # a tensor of the checkpoint like any other.
    # A checkpoint of an earlier version does not know the config's hash.
    named = dict.fromkeys(("teacher", "reasoner"), {"name", "config_sha256"})
    return spec.model_dump(mode="json", exclude={**named, "embedding_rms": True})
