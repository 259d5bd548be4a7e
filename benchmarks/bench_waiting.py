"""How much of its time a training run from the store spends waiting for data.

Extracts documents with the lab teacher, then trains phase 4 on the same batches several times, an
arm each:

- prepared: every batch is on the device before the first step, so nothing is loaded; this is the
  time of training alone;
- streaming: workers of a DataLoader (`train/loader.py`), as in a real run;
- resident: the same with the states of the store kept on the device;
- in turn: no worker processes, each batch made when it is requested.

Two figures of each: the share of its time that the training loop waited, from requesting a batch
to having it on the device, and the time of its steps relative to prepared batches, which includes
what loading takes from the training thread unseen (GIL, kernel launches). Copies from pinned memory
are not waited for, as they run on the stream of the step, so the second figure is the one to read.
On a CPU a step takes seconds and a batch milliseconds: what is measured there is noise.

On a GPU: `python benchmarks/bench_waiting.py --out docs/results/waiting.json`. On a CPU, a small
one: `python benchmarks/bench_waiting.py --device cpu --documents 24 --batch-size 2 --steps 12
--workers 1 --out waiting.json`.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from latentcomp.commands.batches import BatchSettings
from latentcomp.commands.extract import ExtractOptions, extract
from latentcomp.commands.trials import TrialRequest, build
from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.experiment.phases import phase
from latentcomp.store.tools.info import describe
from latentcomp.train.batches import Batch, Batches
from latentcomp.train.loop import train
from latentcomp.train.run import Run

GOAL = 0.03
FIRST_STEPS = 10
"""Steps in which kernels are compiled; left out of everything but `share_waiting_from_first`."""
SEED = 31


@dataclass(frozen=True)
class Arm:
    """One way to load batches."""

    loader: Literal["prepared", "workers", "in turn"]
    resident: bool = False


ARMS = {
    "warm-up": Arm("prepared"),
    "prepared": Arm("prepared"),
    "streaming": Arm("workers"),
    "resident": Arm("workers", resident=True),
    "prepared again": Arm("prepared"),
    "streaming, in turn": Arm("in turn"),
    "resident, in turn": Arm("in turn", resident=True),
}
"""The first one compiles the kernels of all."""
WARM_UP_STEPS = 40


def main() -> None:
    """Parse, measure, write."""
    given = _arguments()
    cuda = given.device != "cpu" and torch.cuda.is_available()
    record: dict[str, Any] = {
        "settings": {**vars(given), "out": str(given.out)},
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "goal": GOAL,
        "arms": {},
        "provenance": collect({"documents": SEED}, {}).model_dump(mode="json"),
    }
    with tempfile.TemporaryDirectory(prefix="latentcomp-waiting-") as name:
        folder = Path(name) / "run"
        device = given.device
        tokens = 65_536 if cuda else None
        options = ExtractOptions(
            run=folder, documents=given.documents, seed=SEED, batch_tokens=tokens, device=device
        )
        extract(options)
        record["store_bytes"] = describe(folder / "store").stored_bytes
        for arm in given.arms:
            began = time.perf_counter()
            result = measure(folder, given, arm)
            result["seconds"] = time.perf_counter() - began
            record["arms"][arm] = result
            beside = record["arms"].get("prepared", record["arms"][given.arms[0]])
            result["time_of_prepared"] = result["step_seconds"] / beside["step_seconds"]
            write_json(given.out, record)
            print(arm, json.dumps({k: v for k, v in result.items() if k != "steps"}), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=3000, help="in the store")
    parser.add_argument("--batch-size", type=int, default=256, help="documents of a step")
    parser.add_argument("--steps", type=int, default=150, help="of each run")
    parser.add_argument("--workers", type=int, help="processes; the default of training if absent")
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    parser.add_argument(
        "--arms", nargs="+", choices=ARMS, default=list(ARMS), help="which, in this order"
    )
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def measure(folder: Path, given: argparse.Namespace, name: str) -> dict[str, Any]:
    """Train the steps of one arm; how long they waited and took."""
    steps = min(given.steps, WARM_UP_STEPS) if name == "warm-up" else given.steps
    run = _run(folder, given, ARMS[name], steps)
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
        "documents_per_second": given.batch_size * len(took[counted]) / sum(took[counted]),
        "steps": [[round(w, 5), round(t, 5)] for w, t in zip(waited, took, strict=True)],
    }


def _run(folder: Path, given: argparse.Namespace, arm: Arm, steps: int) -> Run:
    request = TrialRequest(
        run=folder,
        recipe=phase(4).recipe,
        changes={
            "budget.steps": steps,
            "data.batch_size": given.batch_size,
            "optimiser.lr": 1e-3,
            "optimiser.warmup_steps": 20,
        },
        name="waiting",
        device=given.device,
        skip_order=True,
        batches=BatchSettings(arm.resident, given.workers if arm.loader == "workers" else 0),
        save_every=1_000_000,
        restart=True,
    )
    run = build(request)
    shutil.rmtree(run.folder, ignore_errors=True)
    loaded, device = run.batches, run.accelerator.device
    if arm.loader == "prepared":
        return replace(run, batches=Prepared(loaded, device, steps))
    return run


class Prepared:
    """Batches that were all copied to the device before the run begins."""

    def __init__(self, source: Batches, device: torch.device, steps: int) -> None:
        """Load them from a source, which is closed."""
        self._batches = [source.at(step).to(device) for step in range(steps)]
        self._source = source
        source.close()

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        return self._batches[step]

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Of the source."""
        return self._source.document_ids(step)

    def describe(self) -> Mapping[str, object]:
        """Of the source."""
        return self._source.describe()

    def close(self) -> None:
        """Nothing is left to close."""


if __name__ == "__main__":
    main()
