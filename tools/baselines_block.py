"""What pages quote of the baselines: every arm beside the latents, from one evaluation."""

from pathlib import Path
from typing import Final

from ..evaluate.arms.table import ARMS, in_order
from ..evaluate.difference import in_words
from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .measured_with import teacher_of

BASELINES: Final = "baselines_lab.json"
RETRIEVAL: Final = {"bm25": "search", "oracle": "perfect retrieval"}
"""Arm -> what the README calls it."""


def baselines_block(results: Path) -> str:
    """Markdown of every arm, with the latents held against text of as many tokens.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    read = EvaluationResult.read(results / BASELINES)
    lines = [
        f"From `docs/results/{BASELINES}` ({teacher_of(read)}; {read.documents} held-out "
        f"documents, {read.questions:,} questions, seed {read.seed}, "
        f"{read.tokens_per_latent:.2f} tokens per latent; on a CPU).",
        "",
        "| arm | the reasoner reads | right answers [95 %] | latents minus this |",
        "|---|---|---|---|",
    ]
    for arm in in_order(read.arms):
        above = read.above_text.get(arm)
        against = "" if above is None else in_words(above)
        lines.append(f"| {arm} | {ARMS[arm].label} | {span(read.arms[arm])} | {against} |")
    fresh = read.above_stale["compressed"]
    lines += [
        "",
        f"Freshness: {span(fresh)} above latents of the document without its last third, on the "
        f"{fresh.n} questions which that third settles.",
    ]
    return "\n".join(lines)


def _beaten(read: EvaluationResult) -> str:
    """Which of the two the latents are above, with the whole interval of the difference."""
    above = {name: read.above_text[arm].low > 0 for arm, name in RETRIEVAL.items()}
    if all(above.values()):
        return "text of equal length is beaten"
    beaten = [name for name, yes in above.items() if yes]
    if not beaten:
        return "text is not beaten"
    (other,) = set(above) - set(beaten)
    return f"{beaten[0]} is beaten and {other} is not"


def retrieval_block(results: Path) -> str:
    """One sentence on text at equal tokens.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    read = EvaluationResult.read(results / BASELINES)
    figures = {arm: read.arms[arm].point for arm in ("compressed", "bm25", "oracle")}
    return (
        "That is of a model and a world made for this project, not of natural language. Beside "
        f"text of as many tokens ({teacher_of(read)}; {read.documents} documents): BM25 search "
        f"gives {figures['bm25']:.3f}, perfect retrieval {figures['oracle']:.3f}, the latents "
        f"{figures['compressed']:.3f}, so there {_beaten(read)}. "
        "[What was found, with figures](docs/findings.md)."
    )
