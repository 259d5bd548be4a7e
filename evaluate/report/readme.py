"""What README.md quotes, written from the committed result files and from nothing else.

`python -m latentcomp.evaluate.report.readme` rewrites the blocks between the marks; a test
compares them with the files, so that no figure in the README is typed by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import LatentcompError
from ...store import atomic
from ..result import EvaluationResult
from ..scores import Arm
from .terminal import terminal_block

TEACHER: Final = "lab_teacher.json"
PHASE_4: Final = "phase4.json"
ARMS: Final[tuple[Arm, ...]] = ("ceiling", "floor", "compressed", "shuffled", "zero")


def results_block(results: Path) -> str:
    """Markdown of the first results.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    teacher = EvaluationResult.read(results / TEACHER)
    phase4 = EvaluationResult.read(results / PHASE_4)
    families = sorted(phase4.families)
    lines = [
        f"From `docs/results/{PHASE_4}` ({phase4.documents} held-out documents, "
        f"{phase4.questions:,} questions, seed {phase4.seed}; greedy exact match) and "
        f"`docs/results/{TEACHER}` ({teacher.documents} documents, seed {teacher.seed}).",
        "",
        "| family | ceiling | floor | compressed 4x | shuffled | zero |",
        "|---|---|---|---|---|---|",
    ]
    for family in families:
        cell = phase4.families[family].accuracy
        lines.append(f"| {family} | " + " | ".join(f"{cell[arm].point:.3f}" for arm in ARMS) + " |")
    lines += [
        f"| **all** | {phase4.ceiling:.3f} | {phase4.floor:.3f} | {phase4.accuracy:.3f} | "
        f"{phase4.shuffled:.3f} | {phase4.zero:.3f} |",
        "",
        f"Retention {phase4.retention:.3f} [{phase4.retention_low:.3f}, "
        f"{phase4.retention_high:.3f}] at {phase4.tokens_per_latent:.2f} tokens per latent; stale "
        f"rate {phase4.stale_rate:.3f}. {_bytes(phase4)}",
        "",
        f"The lab teacher alone: {teacher.accuracy:.3f} with the document, "
        f"{teacher.floor:.3f} without it.",
    ]
    return "\n".join(lines)


def _bytes(result: EvaluationResult) -> str:
    sizes = result.bytes
    if sizes.latents is None or sizes.text is None or sizes.states is None:
        return ""
    return (
        f"In bytes the latents are {sizes.latents / sizes.states:.3f} of the stored states, and "
        f"{sizes.latents / sizes.text:.1f} times the text itself."
    )


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the README that is written from files."""

    name: str
    """In its marks."""
    make: Callable[[Path], str]
    """Folder of the results -> Markdown."""

    @property
    def begin(self) -> str:
        """The mark before it."""
        return f"<!-- {self.name}:begin -->"

    @property
    def end(self) -> str:
        """The mark after it."""
        return f"<!-- {self.name}:end -->"

    def replace(self, readme: str, content: str) -> str:
        """The README with `content` between the marks.

        Raises:
            LatentcompError: a mark is missing.
        """
        before, begin, rest = readme.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise LatentcompError(
                f"README.md: the marks {self.begin} and {self.end} are missing; put them back"
            )
        return f"{before}{self.begin}\n{content}\n{self.end}{after}"


BLOCKS: Final = (
    Block("demo", lambda results: terminal_block(results / "terminal" / "demo.txt")),
    Block("test", lambda results: terminal_block(results / "terminal" / "test.txt")),
    Block("results", results_block),
)


def written(readme: str, results: Path) -> str:
    """The README with every block as the files say.

    Raises:
        LatentcompError: a mark or a file is missing, or a file is damaged.
    """
    for block in BLOCKS:
        readme = block.replace(readme, block.make(results))
    return readme


def main() -> None:
    """Rewrite the README of this checkout."""
    root = Path(__file__).resolve().parents[2]
    readme = root / "README.md"
    atomic.write_text(readme, written(readme.read_text(), root / "docs" / "results"))


if __name__ == "__main__":
    main()
