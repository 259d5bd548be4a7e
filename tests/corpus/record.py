"""Record what the generator gives: fingerprints by version, and the examples of docs/corpus3.md.

After a change of the generated text raise `GENERATOR_VERSION`, then run
`.venv/bin/python tests/corpus/record.py`. Fingerprints on record are never replaced.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from latentcomp.corpus.chronicle import PRESETS, generate
from latentcomp.corpus.chronicle.check import check_corpus, render_check
from latentcomp.corpus.chronicle.generator import GENERATOR_VERSION
from latentcomp.corpus.chronicle.names import SPLITS
from latentcomp.corpus.chronicle.questions import FAMILIES
from latentcomp.corpus.records import Document, content

GOLDEN = Path(__file__).with_name("golden.json")
PAGE = Path(__file__).parents[2] / "docs" / "corpus3.md"


def fingerprint(preset_name: str) -> str:
    """SHA-256 of two documents of every split: text, days, questions, summary."""
    digest = sha256()
    for split in SPLITS:
        for document in generate(preset_name, split, 2, 11):
            digest.update(json.dumps(content(document), sort_keys=True).encode())
    return digest.hexdigest()


def golden() -> dict[str, dict[str, str]]:
    """Fingerprints on record, by version and preset."""
    recorded: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return recorded


def example() -> tuple[int, Document]:
    """The first seed whose first test document has a correction, a rumour and every family."""
    for seed in range(1000):
        document = next(generate("lab", "test", 1, seed))
        families = {question.family for question in document.questions}
        if families == set(FAMILIES) and "Correction" in document.text and "false" in document.text:
            return seed, document
    raise LookupError("no document shows everything")


def blocks() -> Iterator[tuple[str, str]]:
    """Name and content of every generated block of the page."""
    seed, document = example()
    command = (
        f"latentcomp corpus --generator 3 --preset lab --split test --documents 1 --seed {seed}"
    )
    yield "example", f"`{command}`, version {GENERATOR_VERSION}:\n\n```\n{document.text}\n```"

    rows = ["| family | asks for | example | answer | stale answers | chunks |", "|" + "---|" * 6]
    for name, family in FAMILIES.items():
        asks = " ".join((inspect.getdoc(family) or "").split("\n\n")[0].split())
        question = next(each for each in document.questions if each.family == name)
        stale = ", ".join(question.stale_answers)
        chunks = ", ".join(map(str, question.evidence))
        rows.append(
            f"| `{name}` | {asks} | {question.text} | {question.answer} | {stale} | {chunks} |"
        )
    yield "families", "\n".join(rows)

    check = render_check(check_corpus(generate("lab", "test", 200, 7)))
    yield "check", f"```\n{check}\n```"

    rows = [
        "| preset | chunks | days | digits of a room | questions of a family |",
        "|" + "---|" * 5,
    ]
    for size in PRESETS.values():
        chunks, days = ("-".join(map(str, span)) for span in (size.chunks, size.days))
        most = f"at most {size.questions_per_family}"
        rows.append(f"| `{size.name}` | {chunks} | {days} | {size.room_digits} | {most} |")
    yield "presets", "\n".join(rows)


def page_with_blocks(page: str) -> str:
    """The page with every generated block as the generator gives it now."""
    for name, block in blocks():
        opening = f"<!-- {name}: written by tests/corpus/record.py -->\n"
        marked = re.compile(f"(?<={opening}).*?(?=<!-- /{name} -->)", re.DOTALL)
        count = len(marked.findall(page))
        if count != 1:
            raise LookupError(f"{PAGE}: {count} blocks {name!r}: one is needed")
        page = marked.sub(f"{block}\n".replace("\\", r"\\"), page)
    return page


def main() -> None:
    """Add the fingerprints of this version and rewrite the page."""
    recorded = golden() if GOLDEN.exists() else {}
    current = {name: fingerprint(name) for name in PRESETS}
    if recorded.setdefault(str(GENERATOR_VERSION), current) != current:
        sys.exit(f"version {GENERATOR_VERSION} gives other documents: raise GENERATOR_VERSION")
    GOLDEN.write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page_with_blocks(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
