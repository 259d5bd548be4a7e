"""What the pages quote, written from the committed result files and from nothing else.

`python -m latentcomp.tools.readme` rewrites the blocks between the marks of README.md and of the
other pages in `BLOCKS`; a test compares them with the files, so that no figure is typed by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ..common import atomic
from ..common.errors import LatentcompError
from .arms_block import arms_block
from .baselines_block import baselines_block, retrieval_block
from .ceiling_block import ceiling_block
from .control_block import control_block
from .headline_block import headline_block, results_block
from .ladder_block import BEFORE, OLDER, ladder_block, ladder_line
from .layers_block import layers_block
from .models_block import models_block
from .other_text_block import other_text_block
from .probes_block import probes_block
from .real_arms_block import LEVERS, real_arms_block
from .real_block import parity_block, prompts_block, sink_block
from .real_results_block import real_results_block, real_sentence
from .real_text_block import real_text_block
from .speeds import extraction_block, store_block
from .terminal import terminal_block
from .world_block import world_block, world_line


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page that is written from files."""

    name: str
    """In its marks."""
    make: Callable[[Path], str]
    """Folder of the results -> Markdown."""
    page: str = "README.md"
    """Where it stands."""

    @property
    def begin(self) -> str:
        """The mark before it."""
        return f"<!-- {self.name}:begin -->"

    @property
    def end(self) -> str:
        """The mark after it."""
        return f"<!-- {self.name}:end -->"

    def replace(self, text: str, content: str) -> str:
        """The page with `content` between the marks.

        Raises:
            LatentcompError: a mark is missing.
        """
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise LatentcompError(
                f"{self.page}: the marks {self.begin} and {self.end} are missing; put them back"
            )
        return f"{before}{self.begin}\n{content}\n{self.end}{after}"


BLOCKS: Final = (
    Block("headline", headline_block),
    Block("retrieval", retrieval_block),
    Block("ladder-line", ladder_line),
    Block("world-line", world_line),
    Block("world", world_block, "docs/corpus.md"),
    Block("real-sentence", real_sentence),
    Block("demo", lambda results: terminal_block(results / "terminal" / "demo.txt"), "docs/try.md"),
    Block(
        "test", lambda results: terminal_block(results / "terminal" / "test.txt"), "CONTRIBUTING.md"
    ),
    Block("models", models_block, "docs/findings.md"),
    Block("results", results_block, "docs/findings.md"),
    Block("arms", arms_block, "docs/findings.md"),
    Block("ceiling", ceiling_block, "docs/findings.md"),
    Block("baselines", baselines_block, "docs/findings.md"),
    Block("probes", probes_block, "docs/findings.md"),
    Block("layers", layers_block, "docs/findings.md"),
    Block("ladder", ladder_block, "docs/findings.md"),
    Block("other-text", other_text_block, "docs/findings.md"),
    Block("control-layer", control_block, "docs/findings.md"),
    Block("ladder-before", partial(ladder_block, file=BEFORE), "docs/findings.md"),
    Block("ladder3", partial(ladder_block, file=OLDER), "docs/findings.md"),
    Block("extraction", extraction_block, "docs/big.md"),
    Block("store", store_block, "docs/big.md"),
    Block("real_parity", parity_block, "docs/real_model.md"),
    Block("real_prompts", prompts_block, "docs/real_model.md"),
    Block("sink", sink_block, "docs/real_model.md"),
    Block("real-results", real_results_block, "docs/real_model.md"),
    Block("real-arms", real_arms_block, "docs/real_model.md"),
    Block("real-levers", partial(real_arms_block, file=LEVERS), "docs/real_model.md"),
    Block("real-text", real_text_block, "docs/real_text.md"),
)
PAGES: Final = tuple(dict.fromkeys(block.page for block in BLOCKS))
"""Pages that quote results, by their path in the repository."""


def written(page: str, text: str, results: Path) -> str:
    """A page with every block as the files say.

    Raises:
        LatentcompError: a mark or a file is missing, or a file is damaged.
    """
    for block in BLOCKS:
        if block.page != page:
            continue
        try:
            text = block.replace(text, block.make(results))
        except (KeyError, TypeError) as error:
            raise LatentcompError(
                f"{results}: the block {block.name!r} finds no {error} in its file; measure again"
            ) from error
    return text


def main() -> None:
    """Rewrite the pages of this checkout."""
    root = Path(__file__).resolve().parents[1]
    for page in PAGES:
        file = root / page
        atomic.write_text(file, written(page, file.read_text(), root / "docs" / "results"))


if __name__ == "__main__":
    main()
