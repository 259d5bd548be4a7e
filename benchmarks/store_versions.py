"""Reads of this code beside those of another commit: the same store, process by process in turn.

    python benchmarks/store_versions.py --against 2dbac35

One process opens the store, reads every document once (`first`: each chunk is checked) and then
again and again (`warm`). Processes of both commits take turns, and which begins a pair changes, so
that what else the machine does hits both. Ratios are of pairs. Writes
`docs/results/store_versions.json`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SEED, LENGTH, LAYERS, HIDDEN = 0, 300, 3, 2048
WORKER = """
import json, sys, time
from latentcomp.store.read.reader import FeatureStore
path, passes = sys.argv[1], int(sys.argv[2])
began = time.perf_counter()
store = FeatureStore(path)
opened = time.perf_counter() - began
order = [(i * 617) % len(store) for i in range(len(store))]
times = []
for _ in range(1 + passes):
    began = time.perf_counter()
    for index in order:
        store.read(index)
    times.append((time.perf_counter() - began) / len(order))
print(json.dumps({"open": opened, "first": times[0], "warm": min(times[1:])}))
"""


def write_store(path: Path, documents: int) -> None:
    """The store that both commits read, written by this one."""
    from backends import Latentcomp, Shape
    from bench_store import CHUNK, SHARD
    from bench_store import documents as made

    shape = Shape(documents, LENGTH, LAYERS, HIDDEN, CHUNK, SHARD)
    Latentcomp(path, shape).write(iter(made(shape)))


def one_process(tree: Path, store: Path, passes: int) -> dict[str, float]:
    """Seconds to open, and seconds a document of the first pass and of the best later one."""
    environment = {**os.environ, "PYTHONPATH": str(tree / ".dev"), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-c", WORKER, str(store), str(passes)]
    ran = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(ran.stdout)
    return times


def compare(older: Path, store: Path, pairs: int, passes: int) -> list[dict[str, Any]]:
    """Times of both commits, pair by pair."""
    made = []
    for number in range(pairs):
        trees = [("older", older), ("here", ROOT)]
        pair: dict[str, Any] = {}
        for name, tree in trees if number % 2 else reversed(trees):
            pair[name] = one_process(tree, store, passes)
        made.append(pair)
    return made


def ratios(pairs: list[dict[str, Any]], what: str) -> dict[str, float]:
    """Time here over time there: median of pairs, quartiles, and pairs in which this is slower."""
    values = [pair["here"][what] / pair["older"][what] for pair in pairs]
    low, median, high = statistics.quantiles(values, n=4)
    slower = sum(value > 1 for value in values)
    return {"median": median, "quartile_low": low, "quartile_high": high, "slower": slower}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", required=True, metavar="COMMIT")
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()

    from latentcomp.common.atomic import write_json
    from latentcomp.common.provenance import collect

    git = ["git", "-C", str(ROOT)]
    asked = subprocess.run(
        [*git, "rev-parse", options.against], capture_output=True, text=True, check=True
    )
    commit = asked.stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        older, store = Path(folder, "older"), Path(folder, "store")
        subprocess.run([*git, "worktree", "add", "-q", "--detach", str(older), commit], check=True)
        try:
            write_store(store, options.documents)
            pairs = compare(older, store, options.pairs, options.passes)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(older)], check=True)
    figures = {what: ratios(pairs, what) for what in ("open", "first", "warm")}
    result = {
        "against": commit,
        "documents": options.documents,
        "pairs": len(pairs),
        "ratio": figures,
        "seconds": pairs,
        "provenance": collect({"order": SEED}, {}).model_dump(mode="json"),
    }
    write_json(ROOT / "docs" / "results" / "store_versions.json", result)
    for what, figure in figures.items():
        print(
            f"{what:>5}: {figure['median']:.3f} [{figure['quartile_low']:.3f}, "
            f"{figure['quartile_high']:.3f}], slower in {figure['slower']} of {len(pairs)}"
        )


if __name__ == "__main__":
    main()
