"""How much of its time a training run from the store spends waiting for data.

Extracts documents with the lab teacher, then trains phase 4 on the same batches several times:
from batches that lie on the device before the first step (nothing is loaded: what training costs
alone), streaming from the disk, and with the store resident on the device; both with batches made
by processes of their own, as is usual on a GPU, and by a thread of the one that trains. Two
figures of each: the share of its time that the training loop waited, from asking for a batch to
having it on the device, and the time of its steps beside those of prepared batches, which also
holds what loading takes from the training thread unseen. Run it on a GPU:
`python benchmarks/bench_waiting.py --out docs/results/waiting.json`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from latentcomp.commands.extract import extract
from latentcomp.commands.training import TrainPlan, TrainRequest, assemble
from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.evaluate.history import clear_phase
from latentcomp.store.tools.info import describe
from latentcomp.train.batches import Batch
from latentcomp.train.loop import Run, train

GOAL = 0.03
FIRST_STEPS = 10
"""Steps in which kernels are compiled; left out of everything but `share_waiting_from_first`."""
SEED = 31


@dataclass(frozen=True)
class Arm:
    """One way to get batches."""

    prepared: bool = False
    resident: bool = False
    processes: bool = False


ARMS = {
    "warm-up": Arm(prepared=True),
    "prepared": Arm(prepared=True),
    "streaming": Arm(processes=True),
    "resident": Arm(processes=True, resident=True),
    "prepared again": Arm(prepared=True),
    "streaming, thread": Arm(),
    "resident, thread": Arm(resident=True),
}
"""The first one compiles what the others find compiled."""
WARM_UP_STEPS = 40


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=3000, help="in the store")
    parser.add_argument("--batch-size", type=int, default=256, help="documents of a step")
    parser.add_argument("--steps", type=int, default=150, help="of each run")
    parser.add_argument(
        "--workers", type=int, help="processes; as many as training takes if left out"
    )
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    record: dict[str, Any] = {
        "settings": {**vars(given), "out": str(given.out)},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "goal": GOAL,
        "arms": {},
        "provenance": collect({"documents": SEED}, {}).model_dump(mode="json"),
    }
    with tempfile.TemporaryDirectory(prefix="latentcomp-waiting-") as name:
        folder = Path(name) / "run"
        extract(run=folder, documents=given.documents, seed=SEED, batch_tokens=65_536)
        record["store_bytes"] = describe(folder / "store").stored_bytes
        for arm in ARMS:
            steps = min(given.steps, WARM_UP_STEPS) if arm == "warm-up" else given.steps
            began = time.perf_counter()
            record["arms"][arm] = measure(folder, given.batch_size, steps, ARMS[arm], given.workers)
            record["arms"][arm]["seconds"] = time.perf_counter() - began
            beside = record["arms"].get("prepared", record["arms"]["warm-up"])
            found = record["arms"][arm]
            found["time_of_prepared"] = found["step_seconds"] / beside["step_seconds"]
            write_json(given.out, record)
            print(arm, json.dumps({k: v for k, v in found.items() if k != "steps"}), flush=True)


def measure(
    folder: Path, batch_size: int, steps: int, arm: Arm, workers: int | None
) -> dict[str, Any]:
    """Train for so many steps; what they waited and took."""
    plan = TrainPlan(steps=steps, documents=batch_size, rate=1e-3, warm_up=20, save_every=1_000_000)
    request = TrainRequest(
        run=folder,
        phase=4,
        plan=plan,
        start="fresh",
        skip_order=True,
        resident=arm.resident,
        workers=workers if arm.processes else 0,
    )
    run = assemble(request)
    clear_phase(run.folder)
    if arm.prepared:
        run = replace(run, batches=Prepared(run, steps))
    figures: list[dict[str, float]] = []
    train(run, figures.append)
    waited = [step["waited"] for step in figures]
    ends = [step["seconds"] for step in figures]
    took = [end - begin for begin, end in zip([0.0, *ends], ends, strict=False)]
    counted = slice(min(FIRST_STEPS, steps - 1), None)
    return {
        "share_waiting": sum(waited[counted]) / sum(took[counted]),
        "share_waiting_from_first": sum(waited) / sum(took),
        "longest_wait": max(waited[counted]),
        "step_seconds": sum(took[counted]) / len(took[counted]),
        "median_step_seconds": median(took[counted]),
        "documents_per_second": batch_size * len(took[counted]) / sum(took[counted]),
        "steps": [[round(w, 5), round(t, 5)] for w, t in zip(waited, took, strict=True)],
    }


class Prepared:
    """The batches that a run would have got, all on the device before it begins."""

    def __init__(self, run: Run, steps: int) -> None:
        """Take them from the run, which does not need its own source any more."""
        device = run.accelerator.device
        self._batches = [run.batches.at(step).to(device) for step in range(steps)]
        self._described = run.batches.describe()
        run.batches.close()

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        return self._batches[step]

    def describe(self) -> Mapping[str, object]:
        """As the source did."""
        return self._described

    def close(self) -> None:
        """Nothing goes on."""


if __name__ == "__main__":
    main()
