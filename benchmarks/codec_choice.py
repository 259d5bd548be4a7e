"""Which codec preset for which states: size, speed and loss, measured on a store's own states.

`python benchmarks/codec_choice.py STORE` reads a raw store and tries, per layer, every lossless
preset and its rivals at several chunk sizes, and every quantisation. Writes, unrounded, to
`docs/results/codecs.json`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numcodecs import blosc, zstd
from rich.console import Console
from rich.table import Table

from latentcomp.common.atomic import write_json
from latentcomp.common.errors import StoreError
from latentcomp.common.provenance import collect
from latentcomp.store.format.codecs import CodecName, chunk_codec
from latentcomp.store.format.dtypes import Bits
from latentcomp.store.format.statistics import OUTLIERS
from latentcomp.store.read.reader import FeatureStore

CHUNKS = (128, 512, 2048)


def lossless(item_bytes: int, chunk_bytes: int) -> dict[str, tuple[Any, Any]]:
    """Name -> (encode, decode)."""
    found: dict[str, tuple[Any, Any]] = {}
    presets: tuple[CodecName, ...] = ("zstd", "split-zstd")
    for preset in presets:
        codec = chunk_codec(preset, item_bytes, chunk_bytes)
        found[f"preset {preset}"] = (codec.encode, lambda data, c=codec: c.decode(memoryview(data)))
    found["zstd 3"] = (lambda raw: zstd.compress(raw, 3), zstd.decompress)
    for name, shuffle, size in (
        ("blosc bitshuffle zstd 1", blosc.BITSHUFFLE, chunk_bytes),
        ("blosc shuffle zstd 1, default blocks", blosc.SHUFFLE, 0),
        ("blosc shuffle lz4", blosc.SHUFFLE, chunk_bytes),
    ):
        method = b"lz4" if "lz4" in name else b"zstd"

        def encode(raw: bytes, m: bytes = method, s: int = shuffle, b: int = size) -> bytes:
            return bytes(blosc.compress(np.frombuffer(raw, f"u{item_bytes}"), m, 1, s, b))

        found[name] = (encode, blosc.decompress)
    return found


def try_lossless(bits: Bits, chunk: int) -> dict[str, dict[str, float]]:
    """Ratio and MB/s of one layer [tokens, hidden] in chunks of so many tokens."""
    whole = [bits[i : i + chunk].tobytes() for i in range(0, len(bits) - chunk + 1, chunk)]
    total = sum(map(len, whole))
    results = {}
    for name, (encode, decode) in lossless(bits.dtype.itemsize, len(whole[0])).items():
        encoded, write = _timed(lambda encode=encode: [encode(raw) for raw in whole])
        decoded, read = _timed(lambda decode=decode, e=encoded: [decode(data) for data in e])
        if any(bytes(a) != b for a, b in zip(decoded, whole, strict=True)):
            raise StoreError(f"{name} does not give back what it was given")
        results[name] = {
            "ratio": total / sum(map(len, encoded)),
            "encode_mb_s": total / write / 1e6,
            "decode_mb_s": total / read / 1e6,
        }
    return results


def quantise(values: torch.Tensor, block: int, kind: str) -> torch.Tensor:
    """[tokens, hidden] through int8 or fp8 (e4m3) with a bfloat16 scale per block, and back."""
    blocks = values.reshape(len(values), -1, block)
    largest = 127.0 if kind == "int8" else 448.0
    exact = blocks.abs().amax(-1, keepdim=True) / largest
    scale = (exact * 1.004).bfloat16().float().clamp_min(1e-30)
    scaled = blocks / scale
    codes = (
        scaled.round().clamp(-127, 127)
        if kind == "int8"
        else scaled.clamp(-448, 448).to(torch.float8_e4m3fn).float()
    )
    return (codes * scale).reshape(values.shape)


def try_lossy(values: torch.Tensor) -> dict[str, dict[str, float]]:
    """Relative L2 error of one layer, over all dimensions and without the largest ones."""
    top = values.square().mean(0).topk(min(OUTLIERS, values.shape[1] - 1)).indices
    rest = torch.ones(values.shape[1], dtype=torch.bool)
    rest[top] = False
    results = {}
    for kind in ("int8", "fp8"):
        for block in (32, 64, values.shape[1]):
            wrong = quantise(values, block, kind) - values
            results[f"{kind}, blocks of {block}"] = {
                "bytes_per_value": 1 + 2 / block,
                "error": float(wrong.norm() / values.norm()),
                "error_without_outliers": float(wrong[:, rest].norm() / values[:, rest].norm()),
            }
    return results


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return action(), time.perf_counter() - start


def _show(console: Console, title: str, results: dict[str, dict[str, float]]) -> None:
    table = Table(title, *next(iter(results.values())))
    for name, numbers in results.items():
        table.add_row(name, *(f"{value:.4g}" for value in numbers.values()))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/codecs.json"))
    given = parser.parse_args()
    store, console = FeatureStore(given.store), Console()
    if store.manifest.codec == "int8":
        raise StoreError(f"{given.store}: already quantised: give a raw store")
    states = torch.cat([store.read(i).states for i in range(len(store))])
    layers: dict[str, Any] = {}
    for column, blocks in enumerate(store.layers):
        values = states[:, column].contiguous()
        bits = values.view(torch.int16).numpy().view(np.uint16)
        sizes = {str(chunk): try_lossless(bits, chunk) for chunk in CHUNKS if chunk <= len(bits)}
        layers[str(blocks)] = {"lossless_by_chunk": sizes, "lossy": try_lossy(values.float())}
        for chunk, results in sizes.items():
            _show(console, f"after {blocks} blocks, chunks of {chunk}", results)
        _show(console, f"after {blocks} blocks, quantised", layers[str(blocks)]["lossy"])
    record = {
        "manifest": store.manifest.model_dump(mode="json"),
        "tokens": len(states),
        "layers": layers,
        "provenance": collect({}, {"corpus": store.manifest.corpus_sha256}).model_dump(mode="json"),
    }
    write_json(given.out, record)
    console.print(f"written to {given.out}")


if __name__ == "__main__":
    main()
