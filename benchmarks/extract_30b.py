"""Extraction at the shape of Qwen3-30B-A3B, on one GPU: how fast, and what the store costs.

The architecture with random weights, made by the project's own loading path from a config alone,
reads documents of random token ids; the states of three layers go to a real store. In the same
run, taking turns, the same forward pass without extraction and store. Before that, variants of
the forward pass; after it, a profile of the best one. Everything goes, unrounded, to one JSON
file, which is written again after every step.
"""

import argparse
import dataclasses
import functools
import gc
import json
import math
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from extraction_variants import LENGTHS, QWEN3_30B, VARIANTS, Variant, corpus_lengths
from kernel_profile import profiled

from latentcomp.extract.batches import Batch, Window, plan_windows
from latentcomp.extract.fill import fill_store
from latentcomp.extract.layers import resolve_layers
from latentcomp.extract.teachers import experts
from latentcomp.extract.teachers.loading import LoadedTeacher, load_teacher
from latentcomp.extract.teachers.packing import pack
from latentcomp.extract.teachers.reading import PADDED, restore_blocks
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.store.atomic import write_json
from latentcomp.store.provenance import collect
from latentcomp.store.schema import DocumentEntry, LayerRecord, Manifest
from latentcomp.store.writer import StoreWriter

CARD_BYTES = 96e9
SPARE = 0.10
TARGET, RATIO = 60_000.0, 0.95


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this thread after so many seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Bench:
    """One loaded model, the layers to read, and the record that grows."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.start = time.perf_counter()
        self.cuda = given.device.startswith("cuda")
        if self.cuda:
            total = torch.cuda.get_device_properties(given.device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, CARD_BYTES / total))
        config = json.loads(given.config.read_text()) if given.config else QWEN3_30B
        folder = Path(tempfile.mkdtemp(prefix="config-")) / "Qwen3-30B-A3B-shape"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        self.layers = resolve_layers(given.layers, config["num_hidden_layers"])
        self.vocabulary, self.hidden = config["vocab_size"], config["hidden_size"]
        began = time.perf_counter()
        self.lm: LoadedTeacher = load_teacher(
            str(folder), self.layers, dtype=given.dtype, device=given.device,
            random_weights_seed=0,
        )  # fmt: skip
        self.sync()
        self.record: dict[str, Any] = {
            "provenance": collect({"weights": 0, "tokens": 0}, {}).model_dump(mode="json"),
            "config": config,
            "identity": self.lm.identity.model_dump(mode="json"),
            "blocks_run": max(layer.blocks_completed for layer in self.layers),
            "layers": [layer.model_dump() for layer in self.layers],
            "card_bytes": CARD_BYTES,
            "build_seconds": time.perf_counter() - began,
            "weights_bytes": sum(p.nbytes for p in self.lm.model.parameters()),
            "thresholds": {"tokens_per_second": TARGET, "ratio": RATIO, "spare": SPARE},
        }

    def sync(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return float(self.given.seconds - (time.perf_counter() - self.start))

    def save(self, **more: Any) -> None:
        """Add to the record and write it."""
        self.record |= more
        self.record["seconds_used"] = time.perf_counter() - self.start
        write_json(self.given.out, self.record)

    def documents(self, kind: str, tokens: int, seed: int = 0) -> list[list[int]]:
        """Documents of random token ids, at least so many tokens in all."""
        scale = self.given.scale
        lengths = [max(2, round(n * scale)) for n in corpus_lengths(kind, tokens / scale, seed)]
        noise = np.random.default_rng(seed)
        return [noise.integers(0, self.vocabulary, n).tolist() for n in lengths]

    def teacher(self, variant: Variant, batch_tokens: int) -> TransformersTeacher:
        """The model, reading in this way."""
        static = variant.reading.compiled == "static"
        reading = dataclasses.replace(variant.reading, row_tokens=batch_tokens if static else None)
        experts.register()
        self.lm.model.config._experts_implementation = variant.experts
        return TransformersTeacher(self.lm, reading)

    @property
    def deepest(self) -> tuple[LayerRecord, ...]:
        return self.layers[-1:]


def windows_of(documents: list[list[int]], batch_tokens: int, packed: bool) -> tuple[Window, ...]:
    lengths = [len(document) for document in documents]
    return tuple(plan_windows(lengths, batch_tokens, packed=packed))


def forward(bench: Bench, teacher: TransformersTeacher, documents: list[list[int]]) -> None:
    """The forward pass alone: tokens up, blocks run, nothing kept."""
    with torch.inference_mode():
        if teacher.reading.packed:
            row = teacher.reading.row_tokens
            teacher.read_packed(pack(documents, teacher.device, row), bench.deepest)
        else:
            rows = [torch.tensor(document) for document in documents]
            padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            teacher.read_padded(padded.to(teacher.device), bench.deepest)


def middle(values: list[float]) -> dict[str, Any]:
    """Median with a bootstrap interval of 95 %, and every value."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {
        "median": statistics.median(values),
        "low": float(low),
        "high": float(high),
        "n": len(values),
        "values": values,
    }


def batch_rates(bench: Bench, teacher: TransformersTeacher, batches: list[list[list[int]]],
                seconds: float) -> list[float]:  # fmt: skip
    """Tokens a second of forward passes over the batches in turn, each awaited."""
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        documents = batches[len(rates) % len(batches)]
        bench.sync()
        start = time.perf_counter()
        forward(bench, teacher, documents)
        bench.sync()
        rates.append(sum(map(len, documents)) / (time.perf_counter() - start))
    return rates


def try_variant(
    bench: Bench, variant: Variant, reference: list[torch.Tensor] | None
) -> dict[str, Any]:
    """Speed, memory and difference from the padded reference of one way to read."""
    result: dict[str, Any] = {"name": variant.name, **dataclasses.asdict(variant)}
    tokens = max(64, round(variant.batch_tokens * bench.given.scale))
    documents = bench.documents(variant.lengths, 3 * tokens)
    windows = windows_of(documents, tokens, variant.reading.packed)
    plan = [[documents[i] for i in batch.indices] for w in windows for batch in w.batches]
    plan = [batch for batch in plan if sum(map(len, batch)) > tokens // 2][:3] or plan[:1]
    try:
        with limit(min(variant.limit, bench.left)), inductor(variant):
            if bench.cuda:
                torch.cuda.reset_peak_memory_stats()
            teacher = bench.teacher(variant, tokens)
            began = time.perf_counter()
            forward(bench, teacher, plan[0])
            bench.sync()
            result["first_seconds"] = time.perf_counter() - began
            forward(bench, teacher, plan[-1])
            result["tokens_per_second"] = middle(
                batch_rates(bench, teacher, plan, bench.given.variant_seconds)
            )
            if variant.graph:
                result["captured"] = captured_rate(bench, teacher, plan[0])
            if reference is not None:
                read = teacher.states(probe(bench), bench.layers)
                result["relative_difference"] = difference(read, reference)
            result["error"] = None
    except Exception as error:  # whatever one variant dies of, the others go on
        result["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        restore_blocks(bench.lm.model.layers)
        if bench.cuda:
            result["peak_reserved_bytes"] = torch.cuda.max_memory_reserved()
        clear(bench)
    return result


@contextmanager
def inductor(variant: Variant) -> Iterator[None]:
    """The compiler's options of a variant."""
    import torch._inductor.config as options

    with options.patch(**variant.inductor):
        yield


def clear(bench: Bench) -> None:
    """Forget compiled code and cached memory, so that variants do not help each other."""
    torch._dynamo.reset()
    gc.collect()
    if bench.cuda:
        torch.cuda.empty_cache()


def captured_rate(
    bench: Bench, teacher: TransformersTeacher, documents: list[list[int]]
) -> dict[str, Any]:
    """The whole forward pass as one CUDA graph, replayed."""
    packing = pack(documents, teacher.device, teacher.reading.row_tokens)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        teacher.read_packed(packing, bench.deepest)
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        rates.append(sum(map(len, documents)) / (time.perf_counter() - start))
    return middle(rates)


def probe(bench: Bench) -> list[list[int]]:
    """A few short documents that every variant reads, to compare them."""
    noise = np.random.default_rng(7)
    return [noise.integers(0, bench.vocabulary, n).tolist() for n in (1, 37, 300, 129, 211)]


def difference(read: list[torch.Tensor], reference: list[torch.Tensor]) -> list[float]:
    """Relative L2 distance of each layer, over all documents."""
    found, wanted = torch.cat(read).float(), torch.cat(reference).float()
    error = (found - wanted).norm(dim=(0, 2)) / wanted.norm(dim=(0, 2))
    return [float(value) for value in error]


def extraction_rates(bench: Bench, teacher: TransformersTeacher, documents: list[list[int]],
                     windows: tuple[Window, ...], folder: Path) -> dict[str, Any]:  # fmt: skip
    """A real extraction: tokens a second between batches once the pipeline is full, and whole."""
    documents = documents[: max(index for window in windows for index in window.indices) + 1]
    entries = [
        DocumentEntry(f"d{i}", np.array(ids), np.zeros(len(ids), np.int64), (None,))
        for i, ids in enumerate(documents)
    ]
    manifest = Manifest(
        teacher=bench.lm.identity, layers=bench.layers, dtype="bfloat16",
        corpus_sha256="0" * 64, code_version="benchmark",
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    seen: list[tuple[float, int]] = []

    def note(batch: Batch) -> None:
        seen.append((time.perf_counter(), batch.tokens))

    writer = StoreWriter(folder, manifest, entries, at_once=bench.given.at_once)
    start = time.perf_counter()
    with writer:
        pending = frozenset(writer.pending())
        fill_store(
            writer.write, teacher, documents, windows, pending, bench.layers, torch.bfloat16, note
        )
        last = time.perf_counter()
    whole = sum(map(len, documents)) / (time.perf_counter() - start)
    return {"steady": steady(seen), "whole_with_drain_and_seal": whole,
            "drain_and_seal_seconds": time.perf_counter() - last}  # fmt: skip


def forward_rates(bench: Bench, teacher: TransformersTeacher, documents: list[list[int]],
                  windows: tuple[Window, ...]) -> dict[str, Any]:  # fmt: skip
    """The same batches through the same forward pass, and nothing else."""
    seen: list[tuple[float, int]] = []
    waiting: list[tuple[Any, int]] = []

    def settle() -> None:
        event, tokens = waiting.pop(0)
        if event is not None:
            event.synchronize()
        seen.append((time.perf_counter(), tokens))

    for batch in (batch for window in windows for batch in window.batches):
        forward(bench, teacher, [documents[i] for i in batch.indices])
        event = torch.cuda.Event() if bench.cuda else None
        if event is not None:
            event.record()
        waiting.append((event, batch.tokens))
        if len(waiting) > 1:
            settle()
    while waiting:
        settle()
    return {"steady": steady(seen)}


def steady(seen: list[tuple[float, int]]) -> float:
    """Tokens a second from the second batch on: by then the pipeline is full."""
    (first, _), (last, _) = seen[0], seen[-1]
    return sum(tokens for _, tokens in seen[1:]) / max(last - first, 1e-9)


def compare(bench: Bench, variant: Variant, kind: str, folder: Path) -> dict[str, Any]:
    """Extraction and forward alone on the same documents, taking turns."""
    tokens = max(64, round(variant.batch_tokens * bench.given.scale))
    per_run = tokens * bench.given.batches
    documents = bench.documents(kind, per_run, seed=1)
    windows = windows_of(documents, tokens, variant.reading.packed)
    runs: list[dict[str, Any]] = []
    if bench.cuda:
        torch.cuda.reset_peak_memory_stats()
    try:
        teacher = bench.teacher(variant, tokens)
        forward(bench, teacher, documents[:1])
        few = windows[:1]  # compiles, and takes the pinned memory that all runs use
        extraction_rates(bench, teacher, documents, few, folder)
        bench.sync()
        for _ in range(bench.given.repeats):
            alone = forward_rates(bench, teacher, documents, windows)
            stored = extraction_rates(bench, teacher, documents, windows, folder)
            runs.append({"forward": alone, "extraction": stored,
                         "ratio": stored["steady"] / alone["steady"]})  # fmt: skip
            shutil.rmtree(folder, ignore_errors=True)
            if bench.left < 30:
                break
    finally:
        restore_blocks(bench.lm.model.layers)
        shutil.rmtree(folder, ignore_errors=True)
    peak = torch.cuda.max_memory_reserved() if bench.cuda else 0
    return {
        "variant": variant.name,
        "lengths": kind,
        "store_folder": "memory" if str(folder).startswith("/dev/shm") else "disk",
        "documents": len(documents),
        "tokens_per_run": sum(map(len, documents)),
        "bytes_per_run": sum(map(len, documents)) * len(bench.layers) * bench.hidden * 2,
        "tokens_per_second": middle([run["extraction"]["steady"] for run in runs]),
        "forward_tokens_per_second": middle([run["forward"]["steady"] for run in runs]),
        "ratio": middle([run["ratio"] for run in runs]),
        "peak_reserved_bytes": peak,
        "spare_of_card": 1 - peak / CARD_BYTES,
        "runs": runs,
    }


def disk_rate(folder: Path, megabytes: int) -> float:
    """Megabytes a second of plain durable writing where the store will be."""
    import os

    folder.mkdir(parents=True, exist_ok=True)
    block = np.random.default_rng(0).bytes(2**20)
    start = time.perf_counter()
    with (folder / "plain").open("wb", buffering=0) as file:
        for _ in range(megabytes):
            file.write(block)
        os.fsync(file.fileno())
    rate = megabytes / (time.perf_counter() - start)
    shutil.rmtree(folder)
    return rate


def profile_of(bench: Bench, variant: Variant, kind: str) -> dict[str, Any]:
    """The kernels of one batch."""
    tokens = round(variant.batch_tokens * bench.given.scale)
    documents = bench.documents(kind, 2 * tokens)
    batch = windows_of(documents, tokens, variant.reading.packed)[0].batches[0]
    chosen = [documents[i] for i in batch.indices]
    teacher = bench.teacher(variant, tokens)
    try:
        for _ in range(2):
            forward(bench, teacher, chosen)
        return {"variant": variant.name, "lengths": kind,
                **profiled(lambda: forward(bench, teacher, chosen), batch.tokens)}  # fmt: skip
    finally:
        restore_blocks(bench.lm.model.layers)


def expert_load(bench: Bench, variant: Variant) -> list[float]:
    """For each block, tokens of its busiest expert over those of the average one."""
    loads: list[float] = []

    def count(_module: torch.nn.Module, _given: Any, out: Any) -> None:
        counts = torch.bincount(out[2].flatten(), minlength=bench.record["config"]["num_experts"])
        loads.append(float(counts.max() / counts.float().mean()))

    routers = [m for m in bench.lm.model.modules() if type(m).__name__.endswith("TopKRouter")]
    handles = [router.register_forward_hook(count) for router in routers]
    try:
        teacher = bench.teacher(dataclasses.replace(variant, reading=PADDED), 0)
        forward(bench, teacher, bench.documents("2k", 8 * 2048 * bench.given.scale))
    finally:
        for handle in handles:
            handle.remove()
    return loads


def step(bench: Bench, name: str, work: Callable[[], Any]) -> Any:
    """Run one step; what fails is recorded and does not stop the rest."""
    if bench.left < 5:
        return {"error": "no time left"}
    try:
        with limit(bench.left):
            return work()
    except Exception as error:  # whatever one variant dies of, the others go on
        clear(bench)
        print(f"{name}: {type(error).__name__}: {error}", flush=True)
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def show(result: dict[str, Any]) -> None:
    rate = result.get("tokens_per_second", {}).get("median", math.nan)
    first, error = result.get("first_seconds", math.nan), result.get("error")
    peak = result.get("peak_reserved_bytes", 0) / 1e9
    print(f"{result.get('name', result.get('variant')):34s} {result.get('lengths', ''):4s} "
          f"{rate:10,.0f} tokens/s  first {first:6.1f} s  peak {peak:5.1f} GB  "
          f"{result.get('ratio', {}).get('median', '')} {error or ''}", flush=True)  # fmt: skip


def main() -> None:
    """Measure within the budget of seconds, and write the record."""
    given = arguments()
    bench = Bench(given)
    reference = None
    results: list[dict[str, Any]] = []
    queue = [v for v in VARIANTS if not given.only or v.name in given.only]
    early = [v for v in queue if v.early] or queue[:1]
    for variant in early:
        results.append(try_variant(bench, variant, reference))
        if reference is None and results[-1]["error"] is None:
            reference = bench.teacher(variant, 0).states(probe(bench), bench.layers)
        show(results[-1])
        bench.save(variants=results)
    ran = [r for r in results if r["error"] is None]
    best = max(ran, key=lambda r: r["tokens_per_second"]["median"])["name"]
    chosen = next(v for v in queue if v.name == best)
    bench.save(
        chosen=best,
        disk_megabytes_per_second=step(
            bench, "disk", lambda: disk_rate(given.store, given.disk_megabytes)
        ),
    )
    found = {}
    places = {"2k": ("2k", given.store), "mix": ("mix", given.store)}
    if given.memory_store:  # tells a slow disk from a slow store
        places["2k, store in memory"] = ("2k", given.memory_store)
    for name, (kind, place) in places.items():
        work = functools.partial(compare, bench, chosen, kind, place)
        found[name] = step(bench, name, work)
        show(found[name])
        bench.save(extraction=found)
    if bench.cuda:
        profiles = [
            step(bench, f"profile {kind}", functools.partial(profile_of, bench, chosen, kind))
            for kind in LENGTHS[:2]
        ]
        bench.save(profiles=profiles)
    bench.save(expert_load=step(bench, "load", lambda: expert_load(bench, chosen)))
    for variant in (v for v in queue if v not in early and bench.left > 20):
        results.append(try_variant(bench, variant, reference))
        show(results[-1])
        bench.save(variants=results)
    print(f"written to {given.out}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/extract_30b.json"))
    parser.add_argument("--config", type=Path, help="config.json of another shape")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--layers", type=lambda s: [int(x) for x in s.split(",")],
                        default=[-6, -18, -30])  # fmt: skip
    parser.add_argument("--seconds", type=float, default=270, help="budget of the whole run")
    parser.add_argument("--variant-seconds", type=float, default=2.5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=12, help="batches of one measured run")
    parser.add_argument("--at-once", type=int, default=6, help="shards written in the background")
    parser.add_argument("--disk-megabytes", type=int, default=4000)
    parser.add_argument("--scale", type=float, default=1.0, help="of all lengths, to try it small")
    parser.add_argument("--store", type=Path, default=None)
    parser.add_argument("--memory-store", type=Path, help="also a store here, such as in /dev/shm")
    parser.add_argument("--only", nargs="*", help="names of variants")
    given = parser.parse_args()
    given.store = given.store or Path(tempfile.mkdtemp(prefix="extract-30b-")) / "store"
    return given


if __name__ == "__main__":
    main()
