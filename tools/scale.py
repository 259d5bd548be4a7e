"""What docs/large_store.md quotes of the store at size, written from the committed result file.

`python -m latentcomp.tools.scale` rewrites the block between the marks; a test compares it.
"""

from pathlib import Path
from typing import Any, Final

from ..common import atomic
from ..common.errors import LatentcompError
from .readme import Block
from .speeds import result_file

RESULT: Final = "scale_store.json"
WORDS: Final = {
    "imports": "nothing but its imports",
    "job": "an extraction's documents, 333 tokens each, and their batches",
    "open unfinished": "opening the unfinished store, with its statistics",
    "resume and seal": "resuming the writer, last shard, seal",
    "verify": "verify, after one that was killed half-way",
    "append": "appending one document",
}


def scale_block(results: Path) -> str:
    """Markdown of memory, time and questions at size.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULT)
    steps, hardware = record["steps"], record["provenance"]["hardware"]
    lines = ["| in a process of its own | peak memory | time |", "|---|---|---|"]
    for name, words in WORDS.items():
        step = steps[name]
        time = f"{step['seconds']:,.0f} s" if name != "imports" else ""
        lines.append(f"| {words} | {step['peak_bytes'] / 1e9:.2f} GB | {time} |")
    lines += [
        "",
        f"{record['documents']:,} documents, {record['shards']:,} shards, {record['n']} run, "
        f"{hardware['cores']} cores, not necessarily alone on them: times are upper bounds. Verify "
        f"found the states of {steps['verify']['earlier']:,} shards checked by the run before.",
        "",
        *_growth(record["growth"]),
    ]
    return "\n".join(lines)


def _growth(growth: dict[str, Any]) -> list[str]:
    small, large = growth["shards"]
    lines = [
        f"| questions to an object store | {small:,} shards | {large:,} shards |",
        "|---|---|---|",
    ]
    for name in (name for name in WORDS if name in growth["by_step"]):
        before, after = growth["by_step"][name]
        lines.append(f"| {WORDS[name]} | {_counts(before)} | {_counts(after)} |")
    return lines


def _counts(questions: dict[str, int]) -> str:
    reads = questions.get("read", 0) + questions.get("open", 0)
    names = questions.get("list", 0) + questions.get("names", 0)
    return f"{reads:,} reads, {names} listings, {questions.get('size', 0)} sizes"


BLOCK: Final = Block("scale", scale_block)


def written(page: str, results: Path) -> str:
    """The page with its block as the file says. Raises: LatentcompError."""
    try:
        return BLOCK.replace(page, BLOCK.make(results))
    except (KeyError, TypeError) as error:
        raise LatentcompError(
            f"{results / RESULT}: finds no {error}; run benchmarks/scale_store.py again"
        ) from error


def main() -> None:
    """Rewrite the page of this checkout."""
    root = Path(__file__).resolve().parents[1]
    page = root / "docs" / "large_store.md"
    atomic.write_text(page, written(page.read_text(), root / "docs" / "results"))


if __name__ == "__main__":
    main()
