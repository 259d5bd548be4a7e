"""Extraction with vLLM at the shape of Qwen3-30B-A3B: what it costs beside vLLM's own prefill.

One engine after another, each in a process of its own because vLLM does not give all of a
card's memory back, all with random weights made by vLLM itself (`load_format=dummy`), all
reading the same documents of random token ids:

- prefill: the blocks up to the deepest layer, no states, one sampled token a document, in the
  same batches as the extraction;
- prefill, whole: the model as it is, every document given at once, scheduled as vLLM likes,
  also without CUDA graphs;
- extraction: three layers through the connector to the host;
- extraction and store: the same, written to a real store.

Everything goes, unrounded, to one JSON file, written again after every part. A part that fails
is named there and does not stop the others.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from extraction_variants import LENGTHS, QWEN3_30B, corpus_lengths

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.extract.backends import cache_bytes_per_token
from latentcomp.extract.batches import plan_windows
from latentcomp.extract.fill import fill_store
from latentcomp.extract.releasing import max_uncommitted, write_function
from latentcomp.extract.teachers.loading import random_identity
from latentcomp.extract.teachers.vllm.engine import EngineSettings, engine_arguments, start
from latentcomp.extract.teachers.vllm.teacher import VllmTeacher
from latentcomp.models.files import locate_model, read_config
from latentcomp.models.layers import resolve_layers
from latentcomp.models.vllm_versions import installed_vllm
from latentcomp.store.format.schema import DocumentEntry, Manifest
from latentcomp.store.write.writer import StoreWriter

SHARD_TOKENS = 8192
SPARE = 0.9
"""Part of the memory that may be used: a tenth stays free."""


class Bench:
    """The documents and the settings of a part, and the record that it adds to."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        config = json.loads(given.config.read_text()) if given.config else QWEN3_30B
        folder = Path(tempfile.mkdtemp(prefix="config-")) / "Qwen3-30B-A3B-shape"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        self.files = locate_model(str(folder))
        self.layers = resolve_layers(given.layers, config["num_hidden_layers"])
        noise = np.random.default_rng(0)
        lengths = [max(2, round(n * given.scale)) for n in self._lengths()]
        self.documents = [noise.integers(0, config["vocab_size"], n).tolist() for n in lengths]
        self.tokens = sum(lengths)
        self.windows = list(plan_windows(lengths, given.batch_tokens, packed=True))
        self.batches = [
            [self.documents[i] for i in batch.indices]
            for window in self.windows
            for batch in window.batches
        ]
        uncommitted = max_uncommitted(lengths, self.windows, SHARD_TOKENS)
        self.settings = EngineSettings(
            folder=folder,
            blocks_completed=tuple(layer.blocks_completed for layer in self.layers),
            dtype=given.dtype,
            device=torch.device(given.device),
            step_tokens=given.batch_tokens,
            longest=uncommitted.longest,
            held_tokens=uncommitted.tokens,
            held_documents=uncommitted.documents,
            bytes_per_token=cache_bytes_per_token(
                read_config(self.files), self.layers, given.dtype
            ),
            memory_share=self._memory_share(),
            random_weights=True,
            eager=given.eager,
        )
        self.config = config

    def begin(self) -> None:
        """Write a record without parts."""
        found = installed_vllm()
        record: dict[str, Any] = {
            "provenance": collect({"tokens": 0}, {}).model_dump(mode="json"),
            "vllm": str(found.version) if found else None,
            "config": self.config,
            "layers": [layer.model_dump() for layer in self.layers],
            "documents": len(self.documents),
            "tokens": self.tokens,
            "batch_tokens": self.given.batch_tokens,
            "eager": self.given.eager,
            "memory_bytes": self.given.memory_gb * 1e9,
            "memory_share": self.settings.memory_share,
            "parts": {},
            "failed": [],
        }
        write_json(self.given.out, record)

    def _memory_share(self) -> float:
        """What vLLM may take of this card, as if it had `--memory-gb`."""
        device = torch.device(self.given.device)
        if device.type != "cuda":
            return SPARE
        total = torch.cuda.get_device_properties(device).total_memory
        return SPARE * min(1.0, self.given.memory_gb * 1e9 / total)

    def _lengths(self) -> list[int]:
        return corpus_lengths(self.given.lengths, self.given.tokens / self.given.scale, 0)

    def sync(self) -> None:
        if self.settings.device.type == "cuda":
            torch.cuda.synchronize(self.settings.device)

    def measure(self, name: str, read: Callable[[], None], start_seconds: float) -> None:
        """Read everything `repeats` times, after once for what is lazy, and keep the seconds."""
        read()
        seconds = []
        for _ in range(self.given.repeats):
            self.sync()
            begin = time.perf_counter()
            read()
            self.sync()
            seconds.append(time.perf_counter() - begin)
        record = json.loads(self.given.out.read_text())
        record["parts"][name] = {
            "seconds": seconds,
            "tokens_per_second": self.tokens / median(seconds),
            "start_seconds": start_seconds,
            "memory_in_use": self._memory_in_use(),
        }
        write_json(self.given.out, record | {"of_prefill": of_prefill(record["parts"])})
        print(f"{name}: {self.tokens / median(seconds):,.0f} tokens/s", flush=True)

    def note(self, name: str, more: Mapping[str, Any]) -> None:
        """Add to what is known of a part."""
        record = json.loads(self.given.out.read_text())
        record["parts"][name] |= more
        write_json(self.given.out, record)

    def _memory_in_use(self) -> int:
        """Bytes of the card that are taken, by whatever; 0 on a CPU."""
        if self.settings.device.type != "cuda":
            return 0
        free, total = torch.cuda.mem_get_info(self.settings.device)
        return int(total - free)


def of_prefill(parts: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """How fast each extraction is beside each prefill, 1 for as fast."""
    speed = {name: part["tokens_per_second"] for name, part in parts.items()}
    return {
        name: {other: speed[name] / speed[other] for other in speed if "prefill" in other}
        for name in speed
        if "extraction" in name
    }


def prefill(bench: Bench) -> None:
    """No states: the batches of the extraction, one after the other."""
    run_prefill(bench, "prefill", bench.batches, cut=True)


def whole(bench: Bench) -> None:
    """The whole model; every document at once, so that vLLM makes the batches."""
    run_prefill(bench, "prefill, whole", [bench.documents], cut=False, async_scheduling=True)


def run_prefill(
    bench: Bench,
    name: str,
    batches: Sequence[Sequence[list[int]]],
    *,
    cut: bool,
    **more: Any,  # noqa: ANN401
) -> None:
    """vLLM without our connector: one token a document."""
    begin = time.perf_counter()
    arguments = engine_arguments(replace(bench.settings, cut=cut), "") | more
    for extraction in ("speculative_config", "kv_transfer_config"):
        del arguments[extraction]
    engine = start(arguments, bench.settings.device)
    from vllm import SamplingParams

    params = SamplingParams(max_tokens=1, temperature=0.0, detokenize=False)
    numbers = iter(range(10**9))

    def read() -> None:
        for batch in batches:
            for document in batch:
                engine.add_request(str(next(numbers)), {"prompt_token_ids": document}, params)
            while engine.has_unfinished_requests():
                engine.step()

    bench.measure(name, read, time.perf_counter() - begin)
    engine.engine_core.shutdown()


def extraction(bench: Bench) -> None:
    """States to the host, then states to a store, with one engine."""
    begin = time.perf_counter()
    teacher = VllmTeacher(random_identity(bench.files, 0), bench.settings)
    started = time.perf_counter() - begin

    def read() -> None:
        for states in teacher.stream(bench.batches, bench.layers):
            assert len(states)

    bench.measure("extraction", read, started)
    ends: list[float] = []
    bench.measure("extraction and store", lambda: ends.append(fill(bench, teacher)), started)
    bench.note("extraction and store", {"seconds_after_the_last_read": ends[1:]})
    teacher.close()


def fill(bench: Bench, teacher: VllmTeacher) -> float:
    """Write a store of everything, and delete it; seconds from the last state read to the end."""
    read = [0.0]
    folder = Path(tempfile.mkdtemp(prefix="store-", dir=bench.given.store))
    entries = [
        DocumentEntry(str(i), np.array(ids), np.zeros(len(ids), np.int64), (None,))
        for i, ids in enumerate(bench.documents)
    ]
    manifest = Manifest(
        teacher=teacher.identity,
        layers=bench.layers,
        dtype=bench.given.dtype,
        shard_tokens=SHARD_TOKENS,
        corpus_sha256="random token ids",
        code_version="benchmark",
    )
    try:
        with StoreWriter(folder / "store", manifest, entries) as writer:
            fill_store(
                write_function(writer, teacher, bench.documents),
                teacher,
                bench.documents,
                bench.windows,
                frozenset(writer.pending()),
                bench.layers,
                getattr(torch, bench.given.dtype),
                lambda batch: read.append(time.perf_counter()),
            )
        return time.perf_counter() - read[-1]
    finally:
        shutil.rmtree(folder)


PARTS: dict[str, Callable[[Bench], None]] = {
    "prefill": prefill,
    "extraction": extraction,
    "whole": whole,
}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, help="config.json; else that of Qwen3-30B-A3B")
    parser.add_argument("--layers", type=lambda t: tuple(map(int, t.split(","))),
                        default=(-6, -18, -30))  # fmt: skip
    parser.add_argument("--lengths", choices=LENGTHS, default="2k")
    parser.add_argument("--scale", type=float, default=1.0, help="of the lengths, to try it out")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--batch-tokens", type=int, default=16_384)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--memory-gb", type=float, default=96.0, help="as if the card had no more")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--store", type=Path, help="folder for the store; default: a temporary one")
    parser.add_argument("--out", type=Path, default=Path("extract_vllm.json"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main() -> None:
    given = arguments()
    bench = Bench(given)
    if given.here:
        PARTS[given.parts[0]](bench)
        return
    bench.begin()
    failed = [part for part in given.parts if run_apart(part)]
    record = json.loads(given.out.read_text())
    write_json(given.out, record | {"failed": failed})
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def run_apart(part: str) -> int:
    """Run one part in a process of its own; its exit status."""
    command = [sys.executable, *sys.argv, "--here", "--parts", part]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    main()
