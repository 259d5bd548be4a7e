"""A real extraction and the forward pass alone, taking turns on the same documents."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction_bench import CARD_BYTES, Bench, forward, middle, windows_of
from extraction_variants import Variant

from latentcomp.extract.batches import DocumentBatch, Window
from latentcomp.extract.fill import fill_store
from latentcomp.extract.teachers.reading_mode import restore_blocks
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.store.format.schema import DocumentEntry, Manifest
from latentcomp.store.write.writer import StoreWriter


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

    def note(batch: DocumentBatch) -> None:
        seen.append((time.perf_counter(), batch.tokens))

    writer = StoreWriter(folder, manifest, entries, encoders=bench.given.at_once)
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
        teacher = bench.teacher(variant)
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
