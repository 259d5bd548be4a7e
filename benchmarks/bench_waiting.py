"""How much of its time a training run from the store spends waiting for data.

Extracts documents with the lab teacher, then trains phase 4 from that store twice for the same
number of seconds: streaming from the disk, and with the store resident on the device. Waiting is
what the training loop itself measures, from asking for a batch to having it on the device; every
step synchronises, so the device has nothing to do meanwhile. Run it on a GPU:
`python benchmarks/bench_waiting.py --out docs/results/waiting.json`.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from latentcomp.extract.command import extract
from latentcomp.store.atomic import write_json
from latentcomp.store.info import describe
from latentcomp.store.provenance import collect
from latentcomp.training import TrainPlan, TrainRequest, train_phase

GOAL = 0.03
FIRST_STEPS = 10
"""Steps in which kernels are compiled; left out of the second of the two shares."""
SEED = 31


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=4000, help="in the store")
    parser.add_argument("--per-step", type=int, default=256, help="documents of a step")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two runs")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latentcomp-waiting-") as name:
        run = Path(name) / "run"
        extract(run=run, documents=given.documents, seed=SEED, batch_tokens=65_536)
        arms = {
            arm: measure(run, given.per_step, given.seconds, resident=arm == "resident")
            for arm in ("streaming", "resident")
        }
        size = describe(run / "store").stored_bytes
    record = {
        "settings": {**vars(given), "out": str(given.out)},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "store_bytes": size,
        "goal": GOAL,
        "arms": arms,
        "provenance": collect({"documents": SEED}, {}).model_dump(mode="json"),
    }
    write_json(given.out, record)
    for arm, found in arms.items():
        print(arm, json.dumps(found))


def measure(run: Path, per_step: int, seconds: float, *, resident: bool) -> dict[str, Any]:
    """Train for so long; what the steps waited and took."""
    steps: list[dict[str, float]] = []
    plan = TrainPlan(
        seconds=seconds, documents=per_step, rate=1e-3, warm_up=20, save_every=1_000_000
    )
    request = TrainRequest(
        run=run,
        phase=4,
        plan=plan,
        start="fresh",
        resident=resident,
        skip_order=True,
        restart=True,
    )
    train_phase(request, steps.append)
    later = steps[FIRST_STEPS:]
    return {
        "steps": len(steps),
        "share_waiting": share(steps, 0.0),
        "share_waiting_after_first_steps": share(later, steps[FIRST_STEPS - 1]["seconds"])
        if later
        else None,
        "documents_per_second": per_step * len(later) / (later[-1]["seconds"] - steps[9]["seconds"])
        if later
        else None,
        "waited_seconds": [round(step["waited"], 5) for step in steps],
    }


def share(steps: list[dict[str, float]], started: float) -> float:
    """Waiting over time, of consecutive steps that began at `started`."""
    return sum(step["waited"] for step in steps) / (steps[-1]["seconds"] - started)


if __name__ == "__main__":
    main()
