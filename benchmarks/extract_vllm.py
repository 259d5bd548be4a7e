"""Extraction with vLLM at the shape of Qwen3-30B-A3B: what it costs beside vLLM's own prefill.

One engine after another in this process, all with random weights made by vLLM itself
(`load_format=dummy`), all reading the same documents of random token ids:

- prefill, whole: the model as it is, no states, one sampled token a document;
- prefill, cut: the same without the blocks behind the deepest layer;
- extraction: three layers through the connector to the host;
- extraction and store: the same, written to a real store.

Everything goes, unrounded, to one JSON file, written again after every part.
"""

import argparse
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction_variants import LENGTHS, QWEN3_30B, corpus_lengths

from latentcomp.extract.backends import cache_bytes_per_token
from latentcomp.extract.batches import plan_windows
from latentcomp.extract.fill import fill_store
from latentcomp.extract.layers import resolve_layers
from latentcomp.extract.releasing import most_held, write_function
from latentcomp.extract.teachers.loading import random_identity
from latentcomp.extract.teachers.vllm.engine import EngineSettings, engine_arguments, start
from latentcomp.extract.teachers.vllm.teacher import VllmTeacher
from latentcomp.extract.teachers.vllm.versions import installed_vllm
from latentcomp.model_files import locate_model, read_config
from latentcomp.store.atomic import write_json
from latentcomp.store.provenance import collect
from latentcomp.store.schema import DocumentEntry, Manifest
from latentcomp.store.writer import StoreWriter

SHARD_TOKENS = 8192


class Bench:
    """The documents, the settings and the record that grows."""

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
        held = most_held(lengths, self.windows, SHARD_TOKENS)
        self.settings = EngineSettings(
            folder=folder,
            blocks_completed=tuple(layer.blocks_completed for layer in self.layers),
            dtype=given.dtype,
            device=torch.device(given.device),
            step_tokens=given.batch_tokens,
            longest=held.longest,
            held_tokens=held.tokens,
            held_documents=held.documents,
            bytes_per_token=cache_bytes_per_token(
                read_config(self.files), self.layers, given.dtype
            ),
            memory_share=given.memory_share,
            random_weights=True,
        )
        found = installed_vllm()
        self.record: dict[str, Any] = {
            "provenance": collect({"tokens": 0}, {}).model_dump(mode="json"),
            "vllm": str(found.version) if found else None,
            "config": config,
            "layers": [layer.model_dump() for layer in self.layers],
            "documents": len(lengths),
            "tokens": self.tokens,
            "batch_tokens": given.batch_tokens,
            "memory_share": given.memory_share,
            "parts": {},
        }

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
        memory = 0
        if self.settings.device.type == "cuda":
            memory = torch.cuda.max_memory_allocated(self.settings.device)
        self.record["parts"][name] = {
            "seconds": seconds,
            "tokens_per_second": self.tokens / min(seconds),
            "start_seconds": start_seconds,
            "max_memory_allocated": memory,
        }
        write_json(self.given.out, self.record)
        print(f"{name}: {self.tokens / min(seconds):,.0f} tokens/s", flush=True)


def prefill(bench: Bench, name: str, *, cut: bool) -> None:
    """vLLM as it is: one token a document."""
    begin = time.perf_counter()
    arguments = engine_arguments(replace(bench.settings, cut=cut), "")
    for extraction in ("speculative_config", "kv_transfer_config"):
        del arguments[extraction]
    engine = start(arguments, bench.settings.device)
    from vllm import SamplingParams

    params = SamplingParams(max_tokens=1, temperature=0.0, detokenize=False)
    numbers = iter(range(10**9))

    def read() -> None:
        for batch in bench.batches:
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
    bench.measure("extraction and store", lambda: fill(bench, teacher), started)
    teacher.close()


def fill(bench: Bench, teacher: VllmTeacher) -> None:
    """Write a store of everything, and delete it."""
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
                lambda batch: None,
            )
    finally:
        shutil.rmtree(folder)


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
    parser.add_argument("--memory-share", type=float, default=0.9, help="of the card, for vLLM")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--store", type=Path, help="folder for the store; default: a temporary one")
    parser.add_argument("--out", type=Path, default=Path("extract_vllm.json"))
    return parser.parse_args(given)


def main() -> None:
    bench = Bench(arguments())
    prefill(bench, "prefill, cut", cut=True)
    gc.collect()
    prefill(bench, "prefill, whole", cut=False)
    gc.collect()
    extraction(bench)


if __name__ == "__main__":
    main()
