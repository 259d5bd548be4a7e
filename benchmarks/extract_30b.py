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
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction_bench import Bench, forward, limit, middle, windows_of
from extraction_runs import compare, disk_rate
from extraction_variants import LENGTHS, VARIANTS, Variant
from kernel_profile import profiled

from latentcomp.extract.teachers.reading_mode import PADDED, restore_blocks
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher


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
        with limit(min(variant.limit, bench.left)):
            if bench.cuda:
                torch.cuda.reset_peak_memory_stats()
            teacher = bench.teacher(variant)
            began = time.perf_counter()
            forward(bench, teacher, plan[0])
            bench.sync()
            result["first_seconds"] = time.perf_counter() - began
            forward(bench, teacher, plan[-1])
            result["tokens_per_second"] = middle(
                batch_rates(bench, teacher, plan, bench.given.variant_seconds)
            )
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


def clear(bench: Bench) -> None:
    """Forget compiled code and cached memory, so that variants do not help each other."""
    torch._dynamo.reset()
    gc.collect()
    if bench.cuda:
        torch.cuda.empty_cache()


def probe(bench: Bench) -> list[list[int]]:
    """A few short documents that every variant reads, to compare them."""
    noise = np.random.default_rng(7)
    return [noise.integers(0, bench.vocabulary, n).tolist() for n in (1, 37, 300, 129, 211)]


def difference(read: list[torch.Tensor], reference: list[torch.Tensor]) -> list[float]:
    """Relative L2 distance of each layer, over all documents."""
    found, wanted = torch.cat(read).float(), torch.cat(reference).float()
    error = (found - wanted).norm(dim=(0, 2)) / wanted.norm(dim=(0, 2))
    return [float(value) for value in error]


def profile_of(bench: Bench, variant: Variant, kind: str) -> dict[str, Any]:
    """The kernels of one batch."""
    tokens = round(variant.batch_tokens * bench.given.scale)
    documents = bench.documents(kind, 2 * tokens)
    batch = windows_of(documents, tokens, variant.reading.packed)[0].batches[0]
    chosen = [documents[i] for i in batch.indices]
    teacher = bench.teacher(variant)
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
        teacher = bench.teacher(dataclasses.replace(variant, reading=PADDED))
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
    name = result.get("name") or result.get("variant") or "failed"
    print(f"{name:34s} {result.get('lengths', ''):4s} "
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
            reference = bench.teacher(variant).states(probe(bench), bench.layers)
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
    parser.add_argument(
        "--at-once", type=int, help="shards written at once, else as the writer likes"
    )
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
