"""How much of its time a training run from the store spends waiting for data.

Extracts documents with the lab teacher, then trains phase 4 on the same batches several times, an
arm each:

- prepared: every batch is on the device before the first step, so nothing is loaded; this is the
  time of training alone;
- streaming: worker processes, a prefetching thread, copies on a CUDA stream of their own
  (`train/workers.py`, `prefetcher.py`, `device_transfer.py`), as in a real run;
- resident: the same with the states of the store kept on the device;
- DataLoader: `torch.utils.data.DataLoader` alone, a map-style dataset over steps with workers and
  pinned memory; the training loop copies each batch with `non_blocking=True`;
- DataLoader, transfer: DataLoader workers in place of ours, the rest as in streaming, which shows
  what `train/workers.py` contributes by itself; also resident;
- thread: no worker processes.

Two figures of each: the share of its time that the training loop waited, from requesting a batch
to having it on the device, and the time of its steps relative to prepared batches, which includes
what loading takes from the training thread unseen (GIL, kernel launches). The DataLoader arm does
not wait for its copies, which run on the stream of the step, so compare it by the second figure.

What DataLoader lacks whatever its speed: its first batch waits until a worker has imported torch,
where `Workers` makes batches itself meanwhile, and an error of a worker arrives as a traceback of
many lines instead of one line. Their speed can be compared on a GPU only: on a CPU a step takes
seconds and a batch milliseconds, so what is measured after the first step is noise.

On a GPU: `python benchmarks/bench_waiting.py --out docs/results/waiting.json`. On a CPU, a small
one: `python benchmarks/bench_waiting.py --device cpu --documents 24 --batch-size 2 --steps 12
--workers 1 --out waiting.json`.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset

from latentcomp.commands.batches import BatchSettings
from latentcomp.commands.extract import extract
from latentcomp.commands.trials import TrialRequest, build
from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.experiment.phases import phase
from latentcomp.store.tools.info import describe
from latentcomp.train.batches import Batch, Batches
from latentcomp.train.flat_batch import FlatBatch, pack
from latentcomp.train.loop import train
from latentcomp.train.prefetcher import Prefetched
from latentcomp.train.run import Run
from latentcomp.train.store_batches import StoreBatches
from latentcomp.train.workers import PREFETCHED, workers_for

GOAL = 0.03
FIRST_STEPS = 10
"""Steps in which kernels are compiled; left out of everything but `share_waiting_from_first`."""
SEED = 31


@dataclass(frozen=True)
class Arm:
    """One way to load batches."""

    loader: Literal["prepared", "workers", "thread", "torch", "torch workers"]
    resident: bool = False


ARMS = {
    "warm-up": Arm("prepared"),
    "prepared": Arm("prepared"),
    "streaming": Arm("workers"),
    "DataLoader": Arm("torch"),
    "DataLoader, transfer": Arm("torch workers"),
    "resident": Arm("workers", resident=True),
    "resident, DataLoader, transfer": Arm("torch workers", resident=True),
    "prepared again": Arm("prepared"),
    "streaming, thread": Arm("thread"),
    "resident, thread": Arm("thread", resident=True),
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
        extract(
            run=folder, documents=given.documents, seed=SEED, batch_tokens=tokens, device=device
        )
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
    if arm.loader in ("torch", "torch workers"):
        assert isinstance(loaded, Prefetched)
        assert isinstance(loaded.source, StoreBatches)
        workers = given.workers
        if workers is None:
            workers = workers_for(device, loaded.source.batch_bytes)
        flat = arm.loader == "torch workers"
        torch_loaded = TorchLoaded(loaded.source, steps, workers, flat=flat)
        if arm.loader == "torch":
            return replace(run, batches=torch_loaded)
        loaded.source = torch_loaded
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


class StepDataset(Dataset[list[Any]]):
    """Item i is the batch of step i, as tensors or as one block of memory."""

    def __init__(self, source: Batches, *, flat: bool) -> None:
        self._source, self._flat = source, flat

    def __getitem__(self, step: int) -> list[Any]:
        batch = self._source.at(step)
        if not self._flat:
            return list(batch.tensors())
        packed = pack(batch)
        return [packed.memory, packed.slots]


class TorchLoaded:
    """Batches made by the workers of a `DataLoader`, in order from step 0."""

    def __init__(self, source: Batches, steps: int, workers: int, *, flat: bool) -> None:
        """Start the workers.

        Args:
            source: batches on the CPU.
            steps: that will be requested.
            workers: processes; 0 makes batches in the calling thread.
            flat: send each batch as one tensor, unpinned, for `DeviceTransfer`.
        """
        self._source, self._flat = source, flat
        loader = DataLoader(
            StepDataset(source, flat=flat),
            batch_size=None,
            sampler=range(steps),
            num_workers=workers,
            pin_memory=not flat and torch.cuda.is_available(),
            prefetch_factor=PREFETCHED if workers else None,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
        )
        self._items: Iterator[list[Any]] | None = iter(loader)

    def at(self, step: int) -> Batch:
        """The batch of the next step, on the CPU."""
        assert self._items is not None
        item = next(self._items)
        return FlatBatch(item[0], tuple(item[1])).unpack() if self._flat else Batch.of(item)

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Of the source."""
        return self._source.document_ids(step)

    def describe(self) -> Mapping[str, object]:
        """Of the source."""
        return self._source.describe()

    def close(self) -> None:
        """Stop the workers."""
        self._items = None
        self._source.close()


if __name__ == "__main__":
    main()
