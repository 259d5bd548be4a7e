"""What the parts of the 30B benchmark share: the loaded model, documents, one forward pass."""

import argparse
import json
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from extraction_variants import QWEN3_30B, Variant, corpus_lengths

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.extract.batches import Window, plan_windows
from latentcomp.extract.teachers.loading import LoadedTeacher, load_teacher
from latentcomp.extract.teachers.packing import pack
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.layers import resolve_layers
from latentcomp.store.format.schema import LayerRecord

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

    def teacher(self, variant: Variant) -> TransformersTeacher:
        """The model, reading in this mode."""
        self.lm.model.config._experts_implementation = variant.experts
        return TransformersTeacher(self.lm, variant.reading)

    @property
    def deepest(self) -> tuple[LayerRecord, ...]:
        return self.layers[-1:]


def windows_of(documents: list[list[int]], batch_tokens: int, packed: bool) -> tuple[Window, ...]:
    lengths = [len(document) for document in documents]
    return tuple(plan_windows(lengths, batch_tokens, packed=packed))


def forward(bench: Bench, teacher: TransformersTeacher, documents: list[list[int]]) -> None:
    """The forward pass alone: tokens up, blocks run, nothing kept."""
    with torch.inference_mode():
        if teacher.mode.packed:
            teacher.read_packed(pack(documents, teacher.device), bench.deepest)
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
