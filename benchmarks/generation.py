"""How many lab documents a second the generator makes, and that they are the same everywhere.

`python benchmarks/generation.py --processes 1 16` lets so many processes make the same documents,
one block of indices after the other as the workers of a live training do, and hashes what came
out. A hash that differs between numbers of processes stops it. The tests make the first documents
again and compare their hash with the record's, which another machine wrote.

Writes to `docs/results/generation.json`.
"""

import argparse
import hashlib
import multiprocessing
import os
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.errors import LatentcompError
from latentcomp.common.provenance import collect
from latentcomp.corpus.files import corpus_sha256
from latentcomp.corpus.generators import LAB_GENERATOR, generator

BLOCK: Final = 64
"""Documents that a process makes at once."""
QUESTIONS_PER_FAMILY: Final = 2
"""As a live training asks (`LIVE_QUESTIONS` of commands/batches.py)."""


def make(seed: int, start: int) -> int:
    """Make `BLOCK` documents as a live training learns from them; returns how many."""
    live = generator(LAB_GENERATOR).live("lab", "train", seed, QUESTIONS_PER_FAMILY, training=True)
    return sum(1 for index in range(start, start + BLOCK) if live.document(index))


def digest(seed: int, start: int) -> str:
    """SHA-256 of the same documents with all that is known of their questions."""
    live = generator(LAB_GENERATOR).live("lab", "train", seed, QUESTIONS_PER_FAMILY)
    return corpus_sha256(live.document(index) for index in range(start, start + BLOCK))


def measured(processes: int, documents: int, seed: int) -> tuple[float, str, str]:
    """That many documents of that many processes.

    Returns:
        Seconds, without starting the processes and without hashing; SHA-256 of the hashes of all
        blocks; that of the first block.
    """
    starts = range(0, documents, BLOCK)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(partial(make, seed + 1), range(0, processes * BLOCK, BLOCK), 1)  # warm
        begun = time.perf_counter()
        pool.map(partial(make, seed), starts, 1)
        seconds = time.perf_counter() - begun
        hashes = pool.map(partial(digest, seed), starts, 1)
    return seconds, hashlib.sha256("".join(hashes).encode()).hexdigest(), hashes[0]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--documents", type=int, default=6400, help="by every number of processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("docs/results/generation.json"))
    options = parser.parse_args()
    rates: dict[str, Any] = {}
    hashes, first = set[str](), ""
    documents = -(-options.documents // BLOCK) * BLOCK
    for processes in options.processes:
        seconds, every, first = measured(processes, documents, options.seed)
        hashes.add(every)
        rate = documents / seconds
        rates[str(processes)] = {"documents_per_second": rate, "seconds": seconds}
        Console().print(f"{processes:3d} processes: {rate:,.0f} documents a second")
    if len(hashes) > 1:
        raise LatentcompError("the documents depend on the number of processes")
    content = {
        "preset": "lab",
        "generator": LAB_GENERATOR,
        "questions_per_family": QUESTIONS_PER_FAMILY,
        "documents": documents,
        "by_processes": rates,
        "sha256": hashes.pop(),
        "first": {"documents": BLOCK, "sha256": first},
        "provenance": collect({"documents": options.seed}, {}).model_dump(mode="json"),
    }
    write_json(options.json, content)


if __name__ == "__main__":
    main()
