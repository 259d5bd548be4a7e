"""Records of versions before 0.2, read as records of today: plain dicts in, plain dicts out.

Until 0.1 a training was keyed by a phase and a plan. Weights keep their bits; only the names of
fields and tensors changed.
"""

from typing import Any, Final

from ..corpus.generators import UNRECORDED

TENSORS: Final = {
    ".mutual.": ".self_attn.",
    ".cross.": ".cross_attn.",
    ".shortcut.": ".residual.",
    ".body.straight.": ".body.linear.",
    ".scale.own.": ".scale.per_latent_scale.",
}
"""Part of a tensor's name before 0.2 -> its name since."""

_PLAN: Final = {
    "data": {"documents": "batch_size", "question_positions": "question_tokens"},
    "optimiser": {
        "rate": "lr",
        "warm_up": "warmup_steps",
        "flat_until": "decay_start",
        "last_rate": "final_lr_fraction",
        "weight_decay": "weight_decay",
        "clip": "clip_norm",
    },
    "budget": {"steps": "steps", "seconds": "seconds"},
}
"""Part of a recipe -> {field of a plan: field of that part}."""


def upgrade_tensor(name: str) -> str:
    """The name that a tensor of a checkpoint has today."""
    for old, new in TENSORS.items():
        name = name.replace(old, new)
    return name


def upgrade_state(state: dict[str, Any]) -> dict[str, Any]:
    """`state.json` of a checkpoint."""
    if "run" not in state:
        return state
    upgraded = {key: value for key, value in state.items() if key not in ("run", "spec")}
    return {
        **upgraded,
        "format_version": 1,
        "spec": _upgrade_spec(state["spec"]),
        "trial": upgrade_trial(state["run"]) if "phase" in state["run"] else None,
    }


def _upgrade_spec(spec: dict[str, Any]) -> dict[str, Any]:
    kept = ("teacher", "reasoner", "layers", "embedding_rms")
    same = ("time", "projection", "scale", "scale_multiple", "latent_width")
    config = {
        "kind": "perceiver",
        **{key: spec[key] for key in same},
        "width": spec.get("width", 256),
        "heads": spec.get("heads", 4),
        "blocks": spec.get("blocks", 3),
        "positions": _positions(spec),
    }
    return {**{key: spec[key] for key in kept}, "config": config}


def upgrade_trial(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a run: `run` in a checkpoint, or `run.json`."""
    data = record.get("data", {})
    if data.get("kind") == "live" and "generator" not in data:
        record = {**record, "data": {**data, "generator": UNRECORDED}}
    if "phase" not in record:
        return record
    plan = record["plan"]
    return {
        "recipe": _recipe(record["phase"], plan, record.get("data", {})),
        "seed": plan["seed"],
        "data": record.get("data", {}),
        "start": _start(record.get("start")),
        "skipped": record.get("skipped", ()),
    }


def _recipe(phase: dict[str, Any], plan: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    parts = {
        part: {new: plan[old] for old, new in fields.items() if old in plan}
        for part, fields in _PLAN.items()
    }
    parts["data"]["source"] = data.get("kind", "store")
    return {
        "name": f"phase-{phase['number']}",
        "model": {
            "time": phase["time"],
            "projection": phase["projection"],
            "scale": phase["scale"],
            "scale_multiple": phase.get("scale_multiple", 1.0),
            "positions": _positions(phase),
        },
        "layers": phase["layers"],
        "objectives": {one["name"]: one["weight"] for one in phase["objectives"]},
        "ratios": phase.get("ratios", (4.0,)),
        "reasoner": phase.get("reasoner", "teacher"),
        **parts,
    }


def _positions(record: dict[str, Any]) -> str:
    return "tokens" if record.get("spread") else "sequential"


def _start(start: dict[str, Any] | None) -> dict[str, Any] | None:
    if start is None:
        return None
    history = start.get("history")
    return {
        "origin": start["from"],
        **{key: start[key] for key in ("seed", "steps", "sha256") if key in start},
        "history": upgrade_trial(history) if history else None,
    }
