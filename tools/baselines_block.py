"""What pages quote of the baselines: every arm beside the latents, at each ratio."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..common.errors import LatentcompError
from ..evaluate.arms.table import ARMS, in_order
from ..evaluate.difference import in_words
from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .measured_with import teacher_of

BASELINES: Final = ("baselines_lab.json", "baselines_lab_8x.json", "baselines_lab_16x.json")
"""Results at each ratio, of the same documents."""
MENDED: Final = {
    "dense": tuple(name.replace("baselines", "dense") for name in BASELINES),
}
"""Arm that was measured again, once mended, on the same documents -> its results at each ratio."""
RETRIEVAL: Final = {"bm25": "search", "oracle": "perfect retrieval"}
"""Arm -> what the README calls it."""


def baselines_block(results: Path) -> str:
    """Markdown of every arm at every ratio, with the latents held against text of as many tokens.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    read = [EvaluationResult.read(results / name) for name in BASELINES]
    first = read[0]
    files = ", ".join(f"`{name}`" for name in BASELINES)
    ratios = [f"{each.ratio:g}x" for each in read]
    heads = ["arm", "the reasoner reads", *ratios, *(f"latents above, {each}" for each in ratios)]
    lines = [
        f"From {files} in `docs/results` ({teacher_of(first)}; seed {first.seed}, "
        f"{_held_out(read)}; on a CPU). Right answers [95 %], of text as many tokens as there are "
        "latents, and latents minus text.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for arm in in_order(first.arms):
        of = _measured(results, read, arm)
        right = [span(each.arms[arm]) for each in of]
        above = [each.above_text.get(arm) for each in of]
        against = ["" if each is None else in_words(each) for each in above]
        lines.append(f"| {arm} | {ARMS[arm].label} | {' | '.join([*right, *against])} |")
    fresh = [each.above_stale["compressed"] for each in read]
    shown = (f"{span(each)} at {ratio}" for each, ratio in zip(fresh, ratios, strict=True))
    lines += [
        "",
        f"Freshness: {', '.join(shown)} above latents of the document without its last third, on "
        "the questions which that third settles.",
        "",
        *(
            f"`{arm}` is of {', '.join(f'`{file}`' for file in files)}: it was mended since."
            for arm, files in MENDED.items()
        ),
        *_red(read),
    ]
    return "\n".join(lines)


def _measured(
    results: Path, read: Sequence[EvaluationResult], arm: str
) -> Sequence[EvaluationResult]:
    """The results that an arm is read from: those of all arms, or its own later ones."""
    if arm not in MENDED:
        return read
    files = zip(read, MENDED[arm], strict=True)
    return [_again(results, first, file) for first, file in files]


def _again(results: Path, first: EvaluationResult, file: str) -> EvaluationResult:
    """A later measurement of the same weights on the same documents.

    Raises:
        LatentcompError: it is of others.
    """
    again = EvaluationResult.read(results / file)
    of = [
        (each.checkpoint_sha256, each.ratio, each.corpus and each.corpus.sha256)
        for each in (first, again)
    ]
    if of[0] != of[1]:
        raise LatentcompError(
            f"{results / file}: not of the weights, ratio and documents of the other arms; "
            "measure it again with their --ratio, --seed and --documents"
        )
    return again


def _red(read: Sequence[EvaluationResult]) -> list[str]:
    """A line of every self-check that fails on these documents; none where none does."""
    messages = [
        f"at {each.ratio:g}x: {check.message}"
        for each in read
        for check in each.checks.values()
        if check.passed is False
    ]
    return ["", f"**{'; '.join(messages)}.**"] if messages else []


def _held_out(read: Sequence[EvaluationResult]) -> str:
    counts = (f"{each.documents} at {each.ratio:g}x" for each in read)
    return f"held-out documents: {', '.join(counts)}"


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
    """Sentences on text at equal tokens, one for each ratio.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    read = [EvaluationResult.read(results / name) for name in BASELINES]
    sentences = "; ".join(
        f"at {each.ratio:g}x BM25 search gives {each.arms['bm25'].point:.3f}, perfect retrieval "
        f"{each.arms['oracle'].point:.3f}, the latents {each.arms['compressed'].point:.3f}: "
        f"{_beaten(each)}"
        for each in read
    )
    return (
        "That is of a model and a world made for this project, not of natural language. Beside "
        f"text of as many tokens ({teacher_of(read[0])}; {_held_out(read)}): {sentences}. "
        "[What was found, with figures](docs/findings.md)."
    )
