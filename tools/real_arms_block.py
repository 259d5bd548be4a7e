"""Trainings on real text beside each other, as the page of the real model quotes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .speeds import result_file

RESULTS: Final = "real_text_arms.json"
LEVERS: Final = "real_text_levers.json"
LABELS: Final = {
    RESULTS: {
        "deep": "layers -6, -18, -30",
        "layer18": "layer -18 alone",
        "all": "layers 0, -6, -18, -30",
        "layer30": "layer -30 alone",
        "layer6": "layer -6 alone",
        "layer0": "token embeddings alone, nothing that the teacher computed",
        "adamw": "all four layers, AdamW at 1e-3 instead of Muon",
        "other": "all four layers, of *another* document in training: habit",
        "whole": "all four layers, a latent for every token",
    },
    LEVERS: {
        "real": "as in the table at the top: identity start, equal stretches, ratios drawn",
        "only4": "the same for 4x alone",
        "fresh": "the same from a fresh start",
        "mass": "the same with learned mass",
        "habit": "the same, of *another* document in training: habit",
    },
}
"""File -> trial -> what it is, in the order of the table."""
SPLITS: Final = {RESULTS: "validation", LEVERS: "test"}
"""File -> split of the documents that it was measured on."""


def real_arms_block(results: Path, file: str = RESULTS) -> str:
    """Markdown of every trial of a comparison, by the usual ends and between trained ones.

    Args:
        results: folder of the committed result files.
        file: row of `LABELS`.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / file)
    ends, every = (record["adapted"][part] for part in ("continuation", "all"))
    trials = record["trials"].values()
    steps = sorted({trial["steps"] for trial in trials})
    lines = [
        f"From `docs/results/{file}`: {record['documents']} {SPLITS[file]} documents, "
        f"{ends['questions']} continuations and {every['questions']:,} answers in all; "
        f"{' or '.join(f'{each:,}' for each in steps)} steps of 16 documents and one seed "
        "each. *Usual ends*: the reader with the text and without. "
        f"*Trained ends*: {_cost(ends, 'floor')} nats a token of a continuation by habit alone, "
        f"{_cost(ends, 'ceiling')} with a latent for every token.",
        "",
        "| trained on | ratio | nats | continuations, usual ends | continuations, trained ends | "
        "all answers, trained ends |",
        "|---|---|---|---|---|---|",
    ]
    for name, label in LABELS[file].items():
        for trial in sorted(record["trials"], key=_ratio):
            if trial.split()[0] == name:
                lines.append(_row(label, trial, record))
    return "\n".join(lines)


def embeddings_clause(results: Path) -> str:
    """What token embeddings alone keep beside the teacher's states, for the README's sentence.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULTS)
    ends = record["adapted"]["continuation"]["utilisation"]
    return (
        f"in a shorter comparison ({record['trials']['deep 4x']['steps']} steps, one seed, "
        f"{record['documents']} validation documents) token embeddings alone keep "
        f"{_span(ends['layer0 4x'])} at 4x where layers -6, -18 and -30 keep "
        f"{_span(ends['deep 4x'])}"
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
