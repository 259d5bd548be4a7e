"""What the pages quote, written from the committed result files and from nothing else.

`python -m latentcomp.tools.readme` rewrites the blocks between the marks of README.md and of the
other pages in `BLOCKS`; a test compares them with the files, so that no figure is typed by hand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any, Final

from ..common import atomic
from ..common.errors import LatentcompError
from ..evaluate.arms.table import in_order
from ..evaluate.result import EvaluationResult
from .baselines_block import baselines_block, retrieval_block
from .ladder_block import OLDER, ladder_block, ladder_line
from .measured_with import teacher_of
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

PHASE_4: Final = "phase4.json"


def _span(figure: Mapping[str, Any]) -> str:
    if isnan(figure["point"]):
        return "–"
    return f"{figure['point']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def results_block(results: Path) -> str:
    """Markdown of what survived compression.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    phase4 = EvaluationResult.read(results / PHASE_4)
    arms = in_order(phase4.arms)
    heads = ["compressed 4x" if arm == "compressed" else arm for arm in arms]
    lines = [
        f"From `docs/results/{PHASE_4}` ({teacher_of(phase4)}; {phase4.documents} held-out "
        f"documents, {phase4.questions:,} questions, seed {phase4.seed}; greedy exact match).",
        "",
        "| family | " + " | ".join(heads) + " | retention [95 %] |",
        "|---" * (len(arms) + 2) + "|",
    ]
    cells = {family: phase4.families[family] for family in sorted(phase4.families)}
    for name, cell in {**cells, "**all**": phase4.overall}.items():
        figures = [f"{cell.accuracy[arm].point:.3f}" for arm in arms]
        kept = _span(cell.retention["compressed"].model_dump())
        lines.append(f"| {name} | " + " | ".join([*figures, kept]) + " |")
    if phase4.forms:
        kept_by = (
            f"{name} {_span(cell.retention['compressed'].model_dump())}"
            for name, cell in sorted(phase4.forms.items())
        )
        lines += ["", f"By form of the answer: {', '.join(kept_by)}."]
    lines += [
        "",
        f"Retention {phase4.retention:.3f} [{phase4.retention_low:.3f}, "
        f"{phase4.retention_high:.3f}] at {phase4.tokens_per_latent:.2f} tokens per latent; stale "
        f"rate {phase4.stale_rate:.3f}. {_bytes(phase4)}",
        *(["", days] if (days := _of_days(phase4)) else []),
        *(["", red] if (red := _self_check(phase4)) else []),
    ]
    return "\n".join(lines)


def _of_days(result: EvaluationResult) -> str:
    """A sentence on questions that the text as it ships leaves open; empty without such."""
    needing, above = result.needs_days.get("yes"), result.above_undated.get("compressed")
    if needing is None or above is None:
        return ""
    return (
        f"On the {needing.questions:,} questions that need days which the metadata alone tells: "
        f"ceiling {_span(needing.accuracy['ceiling'].model_dump())}, latents "
        f"{_span(needing.accuracy['compressed'].model_dump())}, {_span(above.model_dump())} above "
        "the text as it ships."
    )


def _self_check(result: EvaluationResult) -> str:
    """A sentence where the instrument mistrusts itself, else empty."""
    failed = [check for check in result.checks.values() if check.passed is False]
    return " ".join(f"**{check.message}.**" for check in failed)


def _bytes(result: EvaluationResult) -> str:
    sizes = result.bytes
    if sizes.latents is None or sizes.text is None or sizes.states is None:
        return ""
    return (
        f"In bytes the latents are {sizes.latents / sizes.states:.3f} of the stored states, and "
        f"{sizes.latents / sizes.text:.1f} times the text itself."
    )


def headline_block(results: Path) -> str:
    """The first thing that a visitor reads: what survived, beside what it is to be held against.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    phase4 = EvaluationResult.read(results / PHASE_4)
    sizes = phase4.bytes
    times = sizes.latents / sizes.text if sizes.latents and sizes.text else float("nan")
    rows = {
        "the full document (ceiling)": "ceiling",
        f"latents, {phase4.tokens_per_latent:.2f} tokens each": "compressed",
        "as many tokens of its own summary": "summary",
        "another document's latents": "shuffled",
        "no document (floor)": "floor",
    }
    lines = [
        f"**At {phase4.ratio:g} tokens per latent {phase4.retention:.0%} "
        f"[{phase4.retention_low:.0%}, {phase4.retention_high:.0%}] of what the reasoner can "
        f"answer survives** ({teacher_of(phase4)}; {phase4.documents} held-out documents, "
        f"{phase4.questions:,} questions, one training seed). In bytes the latents are "
        f"{times:.0f} times the text. {_self_check(phase4)}".rstrip(),
        "",
        "| the reasoner reads | right answers [95 %] |",
        "|---|---|",
    ]
    lines += [
        f"| {name} | {_span(phase4.arms[arm].model_dump())} |"
        for name, arm in rows.items()
        if arm in phase4.arms
    ]
    return "\n".join(lines)


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
    Block("baselines", baselines_block, "docs/findings.md"),
    Block("probes", probes_block, "docs/findings.md"),
    Block("ladder", ladder_block, "docs/findings.md"),
    Block("other-text", other_text_block, "docs/findings.md"),
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
