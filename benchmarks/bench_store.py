"""`make bench-store`: the feature store beside its alternatives, in one run on the same data.

Writes, sequential and random reads of 300-token documents, a shuffled epoch through a DataLoader,
and bytes on disk; then how opening and reading scale with the number of documents. Reads are
`cold` (dropped from the page cache), `first` (in the page cache, the store newly opened, so that
whoever checks on the first read checks here) and `warm` (read before by this process). Right
before every pass in the page cache np.memmap makes the same pass, and ratios are made of such
pairs, so that what else the machine does hits both. Everything measured goes, unrounded, to
`docs/results/store.json`.
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

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect

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


def recall(path: Path) -> None:
    """Read a file or folder into the page cache, whole."""
    block = bytearray(2**23)
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb", buffering=0) as opened:
                while opened.readinto(block):
                    pass


def touch(size: int) -> None:
    """Use and free more memory than `size`: what a virtual machine has given back to its host
    takes several times as long to fill, and then whoever writes first pays for everybody."""
    np.ones(size + size // 4, np.uint8)


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


Pass = dict[str, float]
READS: dict[str, Callable[[Backend], Iterator[int]]] = {
    "sequential": lambda backend: each(backend, list(range(backend.shape.documents))),
    "random": lambda backend: each(backend, shuffled(backend.shape.documents)),
    "epoch": lambda backend: epoch(backend),
}


def shuffled(documents: int) -> list[int]:
    order: list[int] = np.random.default_rng(2).permutation(documents).tolist()
    return order


def timed(reads: Iterator[int], limit: float) -> Pass:
    """Read on for at most so many seconds, or to the end."""
    start, done = time.perf_counter(), 0
    for count in reads:
        done += count
        if time.perf_counter() - start > limit:
            break
    return {"seconds": time.perf_counter() - start, "documents": done}


def rate(found: Pass) -> float:
    """Documents a second."""
    return found["documents"] / found["seconds"]


def paired(backend: Backend, plain: Backend, kind: str, limit: float, *, fresh: bool) -> Pass:
    """A pass right after the same pass of np.memmap."""
    if fresh:
        reopen(plain, backend)
    beside = timed(READS[kind](plain), limit)
    found = timed(READS[kind](backend), limit)
    return found | {"to_memmap": rate(found) / rate(beside)}


def reopen(*backends: Backend, cold: bool = False) -> None:
    """Open them anew; if `cold`, out of the page cache."""
    for one in backends:
        one.close()  # what is mapped cannot be dropped from the page cache
        if cold:
            forget(one.path)
        one.open()


def measure(
    kind: type[Backend],
    folder: Path,
    plain: Backend,
    data: list[Bits],
    given: argparse.Namespace,
) -> dict[str, Any]:
    """Every figure of one backend, in megabytes of states a second."""
    backend = kind(folder / "data", plain.shape)
    wrote = seconds(lambda: backend.write(iter(data)))
    took: dict[str, list[Pass]] = {"write": [{"seconds": wrote, "documents": len(data)}]}
    stored = disk_bytes(backend.path)
    for name in READS:
        reopen(plain, backend, cold=True)
        took[f"{name}_cold"] = [paired(backend, plain, name, given.limit, fresh=False)]
        recall(plain.path)
        recall(backend.path)
        for when, fresh in (("first", True), ("warm", False)):
            took[f"{name}_{when}"] = [
                paired(backend, plain, name, given.limit, fresh=fresh) for _ in range(given.repeats)
            ]
    backend.close()
    remove(backend.path)
    each_megabytes = plain.shape.bytes / plain.shape.documents / 1e6
    return {
        "checked": kind.checked,
        "disk_bytes": stored,
        "passes": took,
        "megabytes_per_second": {
            name: statistics.median(each_megabytes * rate(one) for one in passes)
            for name, passes in took.items()
        },
    }


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def writes(folder: Path, shape: Shape, data: list[Bits], rounds: int) -> dict[str, list[float]]:
    """Seconds to write the same data, ours and plain writing + fsync, one after the other."""
    took: dict[str, list[float]] = {Latentcomp.name: [], Memmap.name: []}
    for round_ in range(rounds):
        for kind in (Latentcomp, Memmap) if round_ % 2 else (Memmap, Latentcomp):
            backend = kind(folder / "written", shape)
            touch(shape.bytes)
            took[kind.name].append(seconds(lambda backend=backend: backend.write(iter(data))))
            remove(backend.path)
            os.sync()
    return took


def scaling(folder: Path) -> dict[str, Any]:
    """Seconds to open, to a first shuffled batch and to a random document, by documents.

    The first batch pays for the loader's own order of all documents, which grows with them; a
    random read for shards and row groups that are opened for the first time, unlike the same
    reads again.
    """
    found = {}
    for count in (1_000, 10_000, 100_000, 400_000):
        shape = Shape(count, 60, 1, 8, 64, 8192)
        backend = Latentcomp(folder / "data", shape)
        backend.write(iter(documents(shape)))
        opened = [seconds(backend.open) for _ in range(5)]
        first = [
            seconds(lambda backend=backend: (backend.open(), next(epoch(backend))))
            for _ in range(5)
        ]
        some = np.random.default_rng(3).integers(0, count, 2_000).tolist()
        reads = seconds(lambda backend=backend, some=some: [backend.read(i) for i in some])
        again = seconds(lambda backend=backend, some=some: [backend.read(i) for i in some])
        found[str(count)] = {
            "open": opened,
            "open_and_first_batch": first,
            "order_of_an_epoch": seconds(lambda count=count: torch.randperm(count).tolist()),
            "random_read": reads / len(some),
            "random_read_again": again / len(some),
        }
        shutil.rmtree(backend.path)
    return found


def ratios(results: dict[str, Any], wrote: dict[str, list[float]]) -> dict[str, Any]:
    """Ours and np.memmap itself against np.memmap, ours against the best Zarr reader, all from
    passes beside np.memmap; writing against plain writing + fsync. Each with its median, lowest
    and highest."""
    against = {
        "write_to_plain": spread(
            [plain / ours for ours, plain in zip(*wrote.values(), strict=True)]
        )
    }
    ours = results[Latentcomp.name]["passes"]
    for kind in (f"{name}_{when}" for name in READS for when in ("cold", "first", "warm")):
        to_memmap = [one["to_memmap"] for one in ours[kind]]
        best = max(
            statistics.median(one["to_memmap"] for one in results[name]["passes"][kind])
            for name in ZARR_READERS
            if name in results
        )
        against[f"{kind}_to_memmap"] = spread(to_memmap)
        against[f"{kind}_to_best_zarr"] = spread([one / best for one in to_memmap])
        itself = results[Memmap.name]["passes"][kind]
        against[f"{kind}_memmap_to_itself"] = spread([one["to_memmap"] for one in itself])
    return against


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "n": len(values),
    }


def show(results: dict[str, Any], against: dict[str, Any]) -> None:
    console = Console(width=160)
    columns = ["write", *(f"{name}_{when}" for name in READS for when in ("cold", "first", "warm"))]
    table = Table("MB/s", *(column.replace("_", " ") for column in columns), "GB", "checked")
    for name, found in results.items():
        rates = found["megabytes_per_second"]
        cells = [f"{rates[column]:,.0f}" for column in columns]
        table.add_row(name, *cells, f"{found['disk_bytes'] / 1e9:.2f}", found["checked"])
    console.print(table)
    for name, value in against.items():
        console.print(
            f"{name:32} {value['median']:.2f} ({value['lowest']:.2f} to {value['highest']:.2f}, "
            f"n {value['n']})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=3.0, help="of states per backend")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-store"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/store.json"))
    parser.add_argument("--repeats", type=int, default=3, help="passes of each kind")
    parser.add_argument(
        "--writes", type=int, default=8, help="pairs of writes; even: either is first as often"
    )
    parser.add_argument("--limit", type=float, default=2.0, help="seconds of one pass of reads")
    given = parser.parse_args()
    count = max(64, int(given.gigabytes * 1e9 / (LENGTH * LAYERS * HIDDEN * 2)))
    shape = Shape(count, LENGTH, LAYERS, HIDDEN, CHUNK, SHARD)
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    console = Console()
    installed = [kind for kind in BACKENDS if not kind.missing()]
    for kind in set(BACKENDS) - set(installed):
        console.print(f"{kind.name}: not installed (pip install {kind.needs})")
    data = documents(shape)
    small = Memmap(given.folder / "small", Shape(64, LENGTH, LAYERS, HIDDEN, CHUNK, SHARD))
    small.write(iter(data[:64]))
    for kind in installed:  # once for nothing, so that no figure has the time of imports in it
        measure(kind, given.folder, small, data[:64], argparse.Namespace(limit=0.05, repeats=1))
    wrote = writes(given.folder, shape, data, given.writes)
    plain = Memmap(given.folder / "plain", shape)
    plain.write(iter(data))
    results: dict[str, Any] = {}
    for kind in installed:
        results[kind.name] = measure(kind, given.folder, plain, data, given)
        console.print(f"{kind.name}: done")
    against = ratios(results, wrote)
    show(results, against)
    record = {
        "shape": {name: getattr(shape, name) for name in shape.__slots__} | {"bytes": shape.bytes},
        "results": results,
        "write_seconds": wrote,
        "ratios": against,
        "scaling_seconds": scaling(given.folder),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg(),
        "provenance": collect({"data": 0, "order": 2}, {}).model_dump(mode="json"),
    }
    write_json(given.out, record)
    console.print(f"written to {given.out}")
    shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
