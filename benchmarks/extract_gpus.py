"""One GPU and then all of them: the same command, the same bytes, how much faster.

Makes a checkpoint with random weights, runs `latentcomp extract` on it alone and under torchrun,
compares the stores byte for byte and takes the tokens a second from what the runs recorded.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from latentcomp.common.atomic import file_sha256, write_json
from latentcomp.common.provenance import collect
from latentcomp.corpus.chronicle import generate
from latentcomp.models.files import LAB_FOLDERS
from latentcomp.store.tools.info import describe

LONGEST = 11_500
"""Characters of a line of the corpus, so that every document fits into the 4,096 places."""


def make_checkpoint(folder: Path, given: argparse.Namespace) -> None:
    """A dense Qwen3 of random weights, with the tokenizer of the lab teacher."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=json.loads((LAB_FOLDERS["lab"] / "config.json").read_text())["vocab_size"],
        hidden_size=given.hidden,
        intermediate_size=3 * given.hidden,
        num_hidden_layers=given.blocks,
        num_attention_heads=max(1, given.hidden // 128),
        num_key_value_heads=max(1, given.hidden // 512),
        head_dim=128,
        max_position_embeddings=4096,
    )
    with torch.device(given.device):
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "latentcomp.json"):
        if (LAB_FOLDERS["lab"] / name).exists():
            shutil.copy(LAB_FOLDERS["lab"] / name, folder)


def run(
    given: argparse.Namespace, model: Path, corpus: Path, folder: Path, processes: int
) -> dict[str, Any]:
    """Extract with so many processes; tokens a second of the slowest session."""
    launch = [sys.executable, "-m", "latentcomp"]
    if processes > 1:
        count = ["--standalone", "--nproc-per-node", str(processes)]
        launch = [sys.executable, "-m", "torch.distributed.run", *count, "-m", "--", "latentcomp"]
    command = [
        *launch, "extract", "--backend", "transformers", "--teacher", str(model),
        "--run", str(folder), "--layers", given.layers, "--corpus", str(corpus),
        "--batch-tokens", str(given.batch_tokens), "--reading", given.reading,
        "--compute-dtype", "bfloat16", "--device", given.device,
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "4"})
    wall = time.perf_counter() - start
    store = describe(folder / "store")
    sessions = json.loads((folder / "extract.json").read_text())["sessions"]
    seconds = max(float(session["seconds"]) for session in sessions)
    begun = [session["provenance"]["created_utc"] for session in sessions]
    return {
        "processes": processes,
        "tokens": store.tokens,
        "seconds": seconds,
        "seconds_by_session": [float(session["seconds"]) for session in sessions],
        "begun_by_session": begun,  # who begins early waits for who begins late
        "wall_seconds_with_loading": wall,
        "tokens_per_second": store.tokens / seconds,
        "sha256": fingerprint(folder / "store"),
    }


def make_corpus(path: Path, given: argparse.Namespace) -> None:
    """Chronicles joined into documents of one chunk: fewer of them take less preparing, which
    no figure here is about, for the same reading."""
    stories = list(generate("lab", "train", given.documents, given.seed))
    with path.open("w") as file:
        for first in range(0, len(stories) - given.joined + 1, given.joined):
            several = stories[first : first + given.joined]
            text = " ".join(chunk.text for story in several for chunk in story.chunks)
            name = f"long-{first // given.joined}"
            line = json.dumps({"document_id": name, "chunks": [{"text": text}]}) + "\n"
            if len(line) < LONGEST:
                file.write(line)


def fingerprint(folder: Path) -> str:
    """Over the names and bytes of every file of a store."""
    digest = hashlib.sha256()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor() as pool:
        for path, content in zip(paths, pool.map(file_sha256, paths), strict=True):
            digest.update(f"{path.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()


def main() -> None:
    """Measure, compare, write the record."""
    given = arguments()
    root = Path(tempfile.mkdtemp(prefix="extract-gpus-", dir=given.folder))
    runs: list[dict[str, Any]] = []
    try:
        make_checkpoint(root / "model", given)
        corpus = root / "corpus.jsonl"
        make_corpus(corpus, given)
        for repeat in range(given.repeats):
            for processes in (1, given.processes):
                folder = root / f"run-{repeat}-{processes}"
                runs.append(run(given, root / "model", corpus, folder, processes))
                print(json.dumps(runs[-1]), flush=True)
                shutil.rmtree(folder)
                record(given, file_sha256(corpus), runs)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def record(given: argparse.Namespace, corpus_sha256: str, runs: list[dict[str, Any]]) -> None:
    """Write what is known, after every run: a machine may be taken away."""
    alone = [r["tokens_per_second"] for r in runs if r["processes"] == 1]
    together = [r["tokens_per_second"] for r in runs if r["processes"] > 1]
    speedups = [b / a for a, b in zip(alone, together, strict=False)]
    same = len({r["sha256"] for r in runs}) == 1 if together else None
    seeds = {"weights": 0, "documents": given.seed}
    write_json(
        given.out,
        {
            "provenance": collect(seeds, {"corpus": corpus_sha256}).model_dump(mode="json"),
            "settings": {k: str(v) for k, v in vars(given).items()},
            "runs": runs,
            "speedups": speedups,
            "same_bytes": same,
        },
    )
    if together:
        print(f"speedup {speedups}, same bytes: {same}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/extract_gpus.json"))
    parser.add_argument("--folder", type=Path, help="where runs go, such as /dev/shm")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--documents", type=int, default=13_500, help="chronicles to generate")
    parser.add_argument("--joined", type=int, default=9, help="chronicles of a document")
    parser.add_argument("--seed", type=int, default=5, help="of the chronicles")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--reading", default="packed")
    parser.add_argument("--layers", default="-6")
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--blocks", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
