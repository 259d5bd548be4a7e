"""`make bench-store`: the feature store beside its alternatives, in one run on the same data.

Writes, sequential and random reads of 300-token documents, a shuffled epoch through a DataLoader,
and bytes on disk; then how opening and reading scale with the number of documents. Everything
measured goes, unrounded, to `docs/results/store.json`.
"""

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backends import BACKENDS, Backend, Bits, Latentcomp, Memmap, Shape
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from latentcomp.store.atomic import write_json
from latentcomp.store.provenance import collect

LENGTH, LAYERS, HIDDEN = 300, 3, 2048
CHUNK, SHARD = 128, 8192
ZARR = ("zarr-python defaults", "zarr-python sharded + crc32c")
ZARR_READERS = (*ZARR, "zarrs, sharded + crc32c", "tensorstore, sharded + crc32c")


def documents(shape: Shape) -> list[Bits]:
    """States like a residual stream's: unequal dimensions, mantissas of noise, none repeated."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.exp(torch.randn(shape.hidden, generator=generator))
    size = (shape.length, shape.layers, shape.hidden)
    pool = (torch.randn(size, generator=generator) * scale).bfloat16()
    bits = pool.view(torch.int16).numpy().view(np.uint16)
    noise = np.random.default_rng(0)
    return [bits ^ noise.integers(0, 128, size, np.uint16) for _ in range(shape.documents)]


def forget(path: Path) -> None:
    """Drop a file or folder from the page cache."""
    os.sync()
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def disk_bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


class Documents(Dataset[torch.Tensor]):
    """A backend as a map-style dataset; a worker opens its own."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __len__(self) -> int:
        return self.backend.shape.documents

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.backend.read(index)


def epoch(backend: Backend) -> Iterator[int]:
    """A shuffled epoch through a DataLoader; yields documents per batch."""
    loader = DataLoader(
        Documents(backend),
        batch_size=8,
        shuffle=True,
        generator=torch.Generator().manual_seed(1),
    )
    for batch in loader:
        yield len(batch)


def each(backend: Backend, indices: list[int]) -> Iterator[int]:
    """Documents one by one."""
    for index in indices:
        backend.read(index)
        yield 1


def timed(reads: Iterator[int], limit: float) -> dict[str, float]:
    """Read on for at most so many seconds, or to the end."""
    start, done = time.perf_counter(), 0
    for count in reads:
        done += count
        if time.perf_counter() - start > limit:
            break
    return {"seconds": time.perf_counter() - start, "documents": done}


def measure(
    kind: type[Backend], folder: Path, shape: Shape, data: list[Bits], given: argparse.Namespace
) -> dict[str, Any]:
    """Every figure of one backend, in megabytes of states a second."""
    backend = kind(folder / "data", shape)
    order = np.random.default_rng(2).permutation(shape.documents).tolist()
    wrote = seconds(lambda: backend.write(iter(data)))
    took = {"write": [{"seconds": wrote, "documents": shape.documents}]}
    stored = disk_bytes(backend.path)
    reads: dict[str, Callable[[], Iterator[int]]] = {
        "sequential": lambda: each(backend, list(range(shape.documents))),
        "random": lambda: each(backend, order),
        "epoch": lambda: epoch(backend),
    }
    for name, action in reads.items():
        backend.close()  # what is mapped cannot be dropped from the page cache
        forget(backend.path)
        backend.open()
        took[f"{name}_cold"] = [timed(action(), given.limit)]
        took[f"{name}_warm"] = [timed(action(), given.limit) for _ in range(given.repeats)]
    backend.close()
    shutil.rmtree(backend.path) if backend.path.is_dir() else backend.path.unlink()
    each_bytes = shape.bytes / shape.documents
    rates = {
        name: statistics.median(p["documents"] * each_bytes / 1e6 / p["seconds"] for p in passes)
        for name, passes in took.items()
    }
    return {
        "checked": kind.checked,
        "disk_bytes": stored,
        "passes": took,
        "megabytes_per_second": rates,
    }


def scaling(folder: Path) -> dict[str, Any]:
    """Seconds to open, to read a first and then random documents, by number of documents."""
    found = {}
    for count in (1_000, 10_000, 100_000):
        shape = Shape(count, 60, 1, 8, 64, 8192)
        backend = Latentcomp(folder / "data", shape)
        backend.write(iter(documents(shape)))
        opened = [seconds(backend.open) for _ in range(5)]
        first = seconds(lambda backend=backend, count=count: backend.read(count // 2))
        some = np.random.default_rng(3).integers(0, count, 2_000).tolist()
        reads = seconds(lambda backend=backend, some=some: [backend.read(i) for i in some])
        found[str(count)] = {"open": opened, "first_read": first, "random_read": reads / len(some)}
        shutil.rmtree(backend.path)
    return found


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """Ours against the best Zarr reader and np.memmap; writing against plain writing + fsync."""
    rate = {name: found["megabytes_per_second"] for name, found in results.items()}
    ours, plain = rate[Latentcomp.name], rate[Memmap.name]
    readers = [rate[name] for name in ZARR_READERS if name in rate]
    against = {"write_to_plain": ours["write"] / plain["write"]}
    for kind in ("sequential_warm", "random_warm", "sequential_cold", "random_cold", "epoch_warm"):
        against[f"{kind}_to_best_zarr"] = ours[kind] / max(reader[kind] for reader in readers)
        against[f"{kind}_to_memmap"] = ours[kind] / plain[kind]
    return against


def show(results: dict[str, Any], against: dict[str, float]) -> None:
    console = Console()
    columns = ("write", "sequential_cold", "sequential_warm", "random_cold", "random_warm")
    table = Table("MB/s", *columns, "epoch_warm", "GB on disk", "checked")
    for name, found in results.items():
        rates = found["megabytes_per_second"]
        cells = [f"{rates[column]:,.0f}" for column in (*columns, "epoch_warm")]
        table.add_row(name, *cells, f"{found['disk_bytes'] / 1e9:.2f}", found["checked"])
    console.print(table)
    for name, value in against.items():
        console.print(f"{name:32} {value:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=3.0, help="of states per backend")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-store"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/store.json"))
    parser.add_argument("--repeats", type=int, default=3, help="warm reads of each kind")
    parser.add_argument("--limit", type=float, default=15.0, help="seconds of one pass of reads")
    given = parser.parse_args()
    count = max(64, int(given.gigabytes * 1e9 / (LENGTH * LAYERS * HIDDEN * 2)))
    shape = Shape(count, LENGTH, LAYERS, HIDDEN, CHUNK, SHARD)
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    console = Console()
    results: dict[str, Any] = {}
    data = documents(shape)
    small = Shape(64, LENGTH, LAYERS, HIDDEN, CHUNK, SHARD)
    for kind in BACKENDS:  # once for nothing, so that no figure has the time of imports in it
        if not kind.missing():
            measure(kind, given.folder, small, data[:64], given)
    for kind in BACKENDS:
        if kind.missing():
            console.print(f"{kind.name}: not installed (pip install {kind.needs})")
            continue
        results[kind.name] = measure(kind, given.folder, shape, data, given)
        console.print(f"{kind.name}: done")
    against = ratios(results)
    show(results, against)
    record = {
        "shape": {name: getattr(shape, name) for name in shape.__slots__} | {"bytes": shape.bytes},
        "results": results,
        "ratios": against,
        "scaling_seconds": scaling(given.folder),
        "threads": torch.get_num_threads(),
        "provenance": collect({"data": 0, "order": 2}, {}).model_dump(mode="json"),
    }
    write_json(given.out, record)
    console.print(f"written to {given.out}")
    shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
