"""What README.md says of speed, from the files that the benchmarks write."""

import json
from pathlib import Path
from statistics import median
from typing import Any, Final

from ..common.errors import LatentcompError

EXTRACTION: Final = "extract_30b.json"
STORE: Final = "store.json"
READS: Final = {
    "sequential_first": "in order, first",
    "sequential_warm": "again",
    "random_first": "random, first",
    "random_warm": "again",
    "epoch_warm": "shuffled epoch",
}
"""Columns of the store's table."""
RATIOS: Final = {
    "sequential_first_to_memmap": "np.memmap, first read in order",
    "random_first_to_memmap": "np.memmap, first read at random",
    "sequential_first_to_best_zarr": "the best Zarr reader, first read in order",
    "random_first_to_best_zarr": "the best Zarr reader, first read at random",
    "write_to_plain": "writing one plain file and fsync",
}
"""Rows of its second table."""


def result_file(path: Path) -> dict[str, Any]:
    """A committed result. Raises: LatentcompError: it is missing or damaged."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise LatentcompError(f"{path}: cannot be read ({type(error).__name__})") from error


def extraction_block(results: Path) -> str:
    """Markdown of the speed of an extraction at the true size.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / EXTRACTION)
    lines = [
        "| documents | tokens/s from the second batch on | of the same forward alone | "
        "tokens/s with start, drain and seal | reserved by torch |",
        "|---|---|---|---|---|",
    ]
    for kind, words in (("2k", "2k tokens"), ("mix", "2k to 32k tokens")):
        run = record["extraction"][kind]
        rate, ratio = run["tokens_per_second"], run["ratio"]
        whole = [one["extraction"]["whole_with_drain_and_seal"] for one in run["runs"]]
        lines.append(
            f"| {words} | {rate['median']:,.0f} ({rate['low']:,.0f} to {rate['high']:,.0f}) | "
            f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f}) | "
            f"{median(whole):,.0f} ({min(whole):,.0f} to {max(whole):,.0f}) | "
            f"{run['peak_reserved_bytes'] / 1e9:.1f} GB |"
        )
    short = record["extraction"]["2k"]
    blocks = f"{record['blocks_run']} of {record['config']['num_hidden_layers']}"
    lines += [
        "",
        f"Median (lowest to highest) of {short['tokens_per_second']['n']} runs of about "
        f"{short['tokens_per_run']:,} tokens; {blocks} blocks run; read as `--reading tuned` does.",
    ]
    return "\n".join(lines)


def store_block(results: Path) -> str:
    """Markdown of the speed of the store beside others.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / STORE)
    lines = [
        "| MB/s | write | " + " | ".join(READS.values()) + " | GB | CRC32C |",
        "|---" * (len(READS) + 4) + "|",
    ]
    for name, result in record["results"].items():
        rates = result["megabytes_per_second"]
        cells = [f"{rates[column]:,.0f}" for column in ("write", *READS)]
        size = f"{result['disk_bytes'] / 1e9:.2f}"
        lines.append("| " + " | ".join([name, *cells, size, result["checked"]]) + " |")
    cores = record["provenance"]["hardware"]["cores"]
    lines += ["", "| latentcomp raw to | median | lowest | highest | n |", "|---|---|---|---|---|"]
    for name, words in RATIOS.items():
        figure = record["ratios"][name]
        cells = [f"{figure[one]:.2f}" for one in ("median", "lowest", "highest")]
        lines.append("| " + " | ".join([words, *cells, str(figure["n"])]) + " |")
    lines += [
        "",
        f"{record['shape']['bytes'] / 1e9:.1f} GB of states, {cores} cores. In the first table "
        "each writes in its own way; the benchmark adds a sync to np.memmap alone.",
    ]
    return "\n".join(lines)
