"""A store of 1 M documents and 130 thousand shards: what each command holds in memory.

Every step runs in a process of its own, whose peak is what `getrusage` says of it at its end
(`scale_steps.py`): writing's leftovers are laid out, then the store is opened unfinished, resumed
and sealed, verified (killed half-way, then resumed), and grown by one document; `job` is what an
extraction keeps of its documents, of 333 tokens each. Growth counts the questions that an object
store is asked, for two sizes. About 2 GB of disk, 0.5 M files, and a quarter of an hour of CPU:

    python benchmarks/scale_store.py --out docs/results/scale_store.json
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STEPS = (
    "imports",
    "write",
    "open unfinished",
    "resume and seal",
    "verify, killed half-way",
    "verify",
    "append",
)
KILLED = "verify, killed half-way"
SCRIPT = Path(__file__).with_name("scale_steps.py")


def step(name: str, folder: Path, documents: int) -> dict[str, Any]:
    """Run a step in a process of its own; this one imports nothing large: a child counts it."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder)}
    command = [sys.executable, str(SCRIPT), name, str(folder / "store"), str(documents)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if name == KILLED:
        if done.returncode != -signal.SIGKILL:
            raise SystemExit(f"{name}: was not killed but ended with {done.returncode}")
        return {}
    if done.returncode:
        raise SystemExit(f"{name}: ended with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{name}: {result['seconds']:.1f} s, {result['peak_bytes'] / 1e9:.2f} GB", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--growth", type=int, default=4000, help="documents of the smaller size")
    parser.add_argument("--folder", type=Path, help="where the store is made, and removed")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="scale_store_", dir=options.folder))
    try:
        with ThreadPoolExecutor(1) as beside:  # they need no store
            job = beside.submit(step, "job", folder, options.documents)
            steps = {name: step(name, folder, options.documents) for name in STEPS}
            growth = step("growth", folder, options.growth)
            steps["job"] = job.result()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    del steps[KILLED]

    from latentcomp.common.atomic import write_json
    from latentcomp.common.provenance import collect

    record = {
        "documents": options.documents,
        "shards": steps["write"]["shards"],
        "n": 1,
        "steps": steps,
        "growth": {name: growth[name] for name in ("shards", "by_step")},
        "provenance": collect(seeds={}, inputs={}).model_dump(mode="json"),
    }
    write_json(options.out, record)


if __name__ == "__main__":
    main()
