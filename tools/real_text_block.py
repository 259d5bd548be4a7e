"""The corpora of real text as their page quotes them, from `docs/results`."""

from pathlib import Path
from typing import Any, Final

from ..corpus.real_text.separate import SPLITS
from .speeds import result_file

REAL_TEXT: Final = "real_text_corpora.json"


def real_text_block(results: Path) -> str:
    """Markdown of what one machine's packages give: corpora, families, searches.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    formats = result_file(results / REAL_TEXT)["formats"]
    lines = [
        f"From `docs/results/{REAL_TEXT}` (`python benchmarks/real_text.py`), whole formats with "
        "documents of the default length, those without questions among them.",
        "",
        "| format | files | documents (of sources): train, validation, test | questions | "
        "characters: least, quarters, most | entries dropped as repeated | CPU seconds |",
        "|---|---|---|---|---|---|---|",
        *(_format(name, one) for name, one in formats.items()),
        "",
        "| left out | files of the same bytes or linked | entries without heading or date | "
        "characters too short for a document | documents of sources with many | held-out documents "
        "that repeat an earlier split | questions refused by the second reader | text of test "
        "in train |",
        "|---|---|---|---|---|---|---|---|",
        *(_left_out(name, one) for name, one in formats.items()),
        "",
        "| family | format | questions: train, validation, test | answered by a search for its "
        "key | have the family's commonest answer |",
        "|---|---|---|---|---|",
        *(
            _family(family, name, one)
            for name, one in formats.items()
            for family in one["families"]
        ),
    ]
    return "\n".join(lines)


def _format(name: str, one: dict[str, Any]) -> str:
    splits = one["splits"]
    documents = ", ".join(
        f"{splits[split]['documents']:,} ({splits[split]['sources']:,})"
        for split in SPLITS
        if split in splits
    )
    questions = sum(each["questions"] for each in splits.values())
    lengths = ", ".join(f"{each:,}" for each in one["characters"])
    return (
        f"| `{name}` | {one['files']:,} | {documents} | {questions:,} | {lengths} | "
        f"{one['repeated_entries']:,} | {one['cpu_seconds']:.1f} |"
    )


def _left_out(name: str, one: dict[str, Any]) -> str:
    shared = one["repeated"].get("test")
    return (
        f"| `{name}` | {one['repeated_files']:,} | {one['undated_entries']:,} | "
        f"{one['short_characters']:,} | {one['crowded_documents']:,} | "
        f"{one['repeating_documents']:,} | {one['refused_questions']:,} | "
        f"{'–' if shared is None else f'{shared:.1%}'} |"
    )


def _family(family: str, name: str, one: dict[str, Any]) -> str:
    own = one["families"][family]
    counts = ", ".join(f"{own[split]:,}" for split in SPLITS if split in own)
    search = one["search"].get(family)
    share = "no key" if search is None else f"{search['answered']:.3f}"
    return f"| `{family}` | `{name}` | {counts} | {share} | {one['commonest'][family]:.3f} |"
