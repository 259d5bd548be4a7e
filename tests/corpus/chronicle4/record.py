"""Record what generator 4 gives: fingerprints, and the blocks of docs/corpus.md.

After a change of the generated text run `python tests/corpus/chronicle4/record.py`, and with
`--prices` for the table of cheap readers, which takes minutes.
"""

import json
import re
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from latentcomp.corpus.chronicle4 import showing
from latentcomp.corpus.chronicle4.chronicle import GENERATOR_VERSION, chronicle, chronicles
from latentcomp.corpus.chronicle4.presets import PRESETS
from latentcomp.corpus.chronicle4.pricing import price, table
from latentcomp.corpus.chronicle4.search import search
from latentcomp.corpus.chronicle4.strings import SPLITS
from latentcomp.corpus.records import content

GOLDEN = Path(__file__).with_name("golden.json")
PAGE = Path(__file__).parents[3] / "docs" / "corpus.md"
PRICED = 1000
"""Documents of the table of prices."""
CHUNKS = {"qwen3-30b": 24}


def fingerprint(preset_name: str) -> str:
    """SHA-256 of two documents of every split: text, twins, days, questions and all about them."""
    digest = sha256()
    for split in SPLITS:
        for index in range(2):
            size = PRESETS[preset_name]
            each = chronicle(size, split, 11, index, chunks=CHUNKS.get(preset_name))
            about = [asdict(asked) | {"question": content(asked.question)} for asked in each.asked]
            facts = [content(each.document), each.dated, about]
            digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def fingerprints() -> dict[str, dict[str, str]]:
    """By version and preset."""
    return {str(GENERATOR_VERSION): {name: fingerprint(name) for name in PRESETS}}


def golden() -> dict[str, dict[str, str]]:
    """Fingerprints on record."""
    found: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def blocks() -> dict[str, str]:
    """Content of every generated block of the page but the prices."""
    return {
        "words": showing.words(),
        "days": showing.days(),
        "families": showing.families(),
        "presets": showing.presets(),
        "examples": showing.examples(),
    }


def prices() -> str:
    """The tables of cheap readers."""
    documents = list(chronicles("lab", "test", PRICED, 5))
    cheap = table(price(documents))
    both = table([each for each in price(documents, {"search": search}) if each.form == "all"])
    head = f"{PRICED} lab documents of the test split, seed 5; intervals over documents."
    return f"{head}\n\n{cheap}\n\n{both}"


def with_block(page: str, name: str, text: str) -> str:
    """A page with one block replaced."""
    pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)"
    found = re.subn(pattern, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL)
    assert found[1] == 1, name
    return found[0]


def main() -> None:
    """Write fingerprints and page."""
    GOLDEN.write_text(json.dumps(fingerprints(), indent=2) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    found = blocks() | ({"prices": prices()} if "--prices" in sys.argv else {})
    for name, text in found.items():
        page = with_block(page, name, text)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
