"""What survived compression at every ratio of what ships: the README's first lines, a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..corpus.chronicle4.families import FAMILIES
from ..evaluate.arms.table import in_order
from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .by_ratio import HEADLINES, by_ratio
from .measured_with import teacher_of

UNASKED: Final = {name for name, family in FAMILIES.items() if family.held_out}
"""Families of the world that are kept out of a compressor's training."""
_CONTROLS: Final = ("undated", "floor", "shuffled")
"""Beside the ceiling in the table by family; the others are named below it."""


def headline_block(results: Path) -> str:
    """The first thing that a visitor reads: what survived, beside what it is to be held against.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    read = by_ratio(results)
    first = read[0]
    kept = ", ".join(
        f"{each.retention:.1%} [{each.retention_low:.1%}, {each.retention_high:.1%}] at "
        f"{each.ratio:g}x"
        for each in read
    )
    rows = {
        "the full document (ceiling)": first.arms["ceiling"],
        **{
            f"latents, {each.tokens_per_latent:.2f} tokens each": each.arms["compressed"]
            for each in read
        },
        "another document's latents": first.arms["shuffled"],
        "no document (floor)": first.arms["floor"],
    }
    lines = [
        f"**Of what the reasoner can answer with the document, latents keep {kept}** (tokens per "
        f"latent; {teacher_of(first)}; {first.documents:,} held-out documents, "
        f"{first.questions:,} questions; one compressor for all of them, one training seed). "
        f"In bytes the latents are {_times(read)} times the text. {_self_check(read)}",
        *_unasked(read),
        "",
        "| the reasoner reads | right answers [95 %] |",
        "|---|---|",
    ]
    lines += [f"| {name} | {span(figure)} |" for name, figure in rows.items()]
    return "\n".join(lines)


def _unasked(read: Sequence[EvaluationResult]) -> list[str]:
    """What is kept of the families that no training asks, beside the lowest of those it does."""
    kept = {
        name: [each.families[name].retention["compressed"] for each in read]
        for name in read[0].families
    }
    lowest = min(kept.keys() - UNASKED, key=lambda name: kept[name][0].point)
    return [
        f"**Of `{name}`, the kind of question that no training asks, they keep "
        f"{', '.join(f'{one.point:.1%} [{one.low:.1%}, {one.high:.1%}]' for one in kept[name])}**; "
        f"of every other kind at {read[0].ratio:g}x at least {kept[lowest][0].point:.1%} "
        f"(`{lowest}`)."
        for name in sorted(UNASKED & kept.keys())
    ]


def _times(read: Sequence[EvaluationResult]) -> str:
    ratios = [
        sizes.latents / sizes.text if sizes.latents and sizes.text else float("nan")
        for sizes in (each.bytes for each in read)
    ]
    return ", ".join(f"{ratio:.0f}" for ratio in ratios)


def _self_check(read: Sequence[EvaluationResult]) -> str:
    """A sentence on the instrument's check of itself, in bold where it fails."""
    failed = [
        f"at {each.ratio:g}x: {check.message}"
        for each in read
        for check in each.checks.values()
        if check.passed is False
    ]
    if failed:
        return f"**{'; '.join(failed)}.**"
    differences = ", ".join(f"{each.shuffled - each.floor:+.3f}" for each in read)
    return (
        "The self-check holds: latents of another document answer no better than no document "
        f"({differences})."
    )


def results_block(results: Path) -> str:
    """Markdown of what survived, by family and by form of the answer.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    read = by_ratio(results)
    first = read[0]
    columns = ["ceiling", *_CONTROLS]
    heads = [*columns, *(f"kept at {each.ratio:g}x [95 %]" for each in read)]
    files = ", ".join(f"`{name}`" for name in HEADLINES)
    lines = [
        f"From {files} in `docs/results` ({teacher_of(first)}; {first.documents:,} held-out "
        f"documents, {first.questions:,} questions, seed {first.seed}; greedy exact match). Right "
        "answers, and retention at each ratio.",
        "",
        "| family | " + " | ".join(heads) + " |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for name in [*sorted(first.families), "all"]:
        cells = [each.overall if name == "all" else each.families[name] for each in read]
        figures = [f"{cells[0].accuracy[arm].point:.3f}" for arm in columns]
        kept = [span(cell.retention["compressed"]) for cell in cells]
        shown = "**all**" if name == "all" else name
        lines.append(f"| {shown} | " + " | ".join([*figures, *kept]) + " |")
    others = (arm for arm in in_order(first.arms) if arm not in {*columns, "compressed"})
    lines += [
        "",
        "| form of the answer | " + " | ".join(f"{each.ratio:g}x" for each in read) + " |",
        "|---" * (len(read) + 1) + "|",
        *(
            f"| {form} | "
            + " | ".join(span(each.forms[form].retention["compressed"]) for each in read)
            + " |"
            for form in sorted(first.forms)
        ),
        "",
        f"Other arms at {first.ratio:g}x: "
        + ", ".join(f"{arm} {span(first.arms[arm])}" for arm in others)
        + ".",
        "",
        *(_row(each) for each in read),
        "",
        _self_check(read),
    ]
    return "\n".join(lines)


def _row(result: EvaluationResult) -> str:
    """One line on a ratio: stale answers, bytes, and what only the metadata tells."""
    sizes = result.bytes
    parts = [f"stale rate {span(result.overall.stale_rate['compressed'])}"]
    if sizes.latents and sizes.text and sizes.states:
        parts.append(
            f"bytes {sizes.latents / sizes.states:.3f} of the stored states and "
            f"{sizes.latents / sizes.text:.1f} times the text"
        )
    needing, above = result.needs_days.get("yes"), result.above_undated.get("compressed")
    if needing is not None and above is not None:
        parts.append(
            f"of {needing.questions:,} questions that need days which the metadata alone tells "
            f"{span(needing.accuracy['compressed'])} right, {span(above)} above the text as it "
            "ships"
        )
    return (
        f"- {result.ratio:g}x, {result.tokens_per_latent:.2f} tokens a latent: {'; '.join(parts)}."
    )
