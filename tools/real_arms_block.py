"""Trainings on real text beside each other, as the page of the real model quotes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .speeds import result_file

RESULTS: Final = "real_text_arms.json"
LABELS: Final = {
    "deep": "layers -6, -18, -30",
    "layer18": "layer -18 alone",
    "all": "layers 0, -6, -18, -30, as in the table above",
    "layer30": "layer -30 alone",
    "layer6": "layer -6 alone",
    "layer0": "token embeddings alone, nothing that the teacher computed",
    "adamw": "all four layers, AdamW at 1e-3 instead of Muon",
    "other": "all four layers, of *another* document in training: habit",
    "whole": "all four layers, a latent for every token",
}
"""Trial -> what it is, in the order of the table."""


def real_arms_block(results: Path) -> str:
    """Markdown of every trial by the usual ends and between trained ones.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULTS)
    ends, every = (record["adapted"][part] for part in ("continuation", "all"))
    steps = {trial["steps"] for trial in record["trials"].values()}
    lines = [
        f"From `docs/results/{RESULTS}`: {record['documents']} validation documents, "
        f"{ends['questions']} continuations and {every['questions']:,} answers in all; "
        f"{' or '.join(f'{each:,}' for each in sorted(steps))} steps of 16 documents and one seed "
        "each, ratios drawn from 4, 8 and 16. *Usual ends*: the reader with the text and without. "
        f"*Trained ends*: {_cost(ends, 'floor')} nats a token of a continuation by habit alone, "
        f"{_cost(ends, 'ceiling')} with a latent for every token.",
        "",
        "| trained on | ratio | nats | continuations, usual ends | continuations, trained ends | "
        "all answers, trained ends |",
        "|---|---|---|---|---|---|",
    ]
    for name, label in LABELS.items():
        for trial in sorted(record["trials"], key=_ratio):
            if trial.split()[0] == name:
                lines.append(_row(label, trial, record))
    return "\n".join(lines)


def content_sentence(results: Path) -> str:
    """Markdown of what of real text is kept beyond habit, for the README's sentence.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULTS)
    habit = record["trials"][f"{record['habit']} 4x"]["continuation"]["utilisation"]["compressed"]
    ends = record["adapted"]["continuation"]
    kept = {name: ends["utilisation"][f"{name} 4x"] for name in ("deep", "all", "layer0")}
    steps = record["trials"]["deep 4x"]["steps"]
    usual = record["trials"]["all 4x"]["continuation"]["utilisation"]["compressed"]
    much = "Most" if habit["point"] > usual["point"] / 2 else "Some"
    return (
        f"**{much} of that is habit, not content**: a compressor that was trained on the states of "
        f"*other* documents, and knows nothing of the one at hand, saves {habit['point']:.0%}. "
        f"Between it and one latent for every token, all trained alike ({steps} steps, one seed, "
        f"{ends['questions']} validation documents), latents at 4x keep "
        f"{_span(kept['deep'])} of what there is to know with layers -6, -18 and -30, "
        f"{_span(kept['all'])} with the token embeddings beside them, and {_span(kept['layer0'])} "
        "with the embeddings alone."
    )


def _row(label: str, trial: str, record: Mapping[str, Any]) -> str:
    ends, every = (
        record["adapted"][part]["utilisation"][trial] for part in ("continuation", "all")
    )
    usual = record["trials"][trial]["continuation"]["utilisation"]["compressed"]
    cost = _cost(record["adapted"]["continuation"], trial)
    shown = " | ".join(_span(each) for each in (usual, ends, every))
    return f"| {label} | {_ratio(trial):g}x | {cost} | {shown} |"


def _ratio(trial: str) -> float:
    return float(trial.split()[1].removesuffix("x"))


def _cost(cell: Mapping[str, Any], arm: str) -> str:
    return f"{cell['nats'][arm]['point']:.2f}"


def _span(one: Mapping[str, Any]) -> str:
    return f"{one['point']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
