"""What linear probes read off latents and states, as a page quotes it from `probes.json`."""

from pathlib import Path
from typing import Final

from ..evaluate.diagnosis.result import Diagnosis
from ..evaluate.stats import Interval
from .measured_with import measured_with

PROBES_FILE: Final = "probes.json"
WHAT: Final = {
    "day": "the day of a segment, among those of its document",
    "value": "whether a value in it still holds at the end, or was replaced",
    "entity": "which person of the document is named in it",
    "owner": "whose value stands in it, where the name does not",
    "tokens": "its frequent tokens",
}
"""By probe, in words."""


def probes_block(results: Path) -> str:
    """Markdown of every probe, latents beside mean states.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
        TeacherError: it is of another teacher than those of the lab.
    """
    record = Diagnosis.read(results / PROBES_FILE)
    by = measured_with(record.provenance["inputs"]["teacher"])
    scores = {(each.of, each.source): each for each in record.probes}
    lines = [
        f"From `docs/results/{PROBES_FILE}` ({by}, compressor `{record.checkpoint}`; "
        f"{record.documents} documents of the split `{record.corpus.split}`, seed {record.seed}, "
        f"{record.ratio:g}x; fitted on every second one, scored on the others).",
        "",
        "| a linear map tells | from latents [95 %] | from mean states of the same tokens "
        "| constant guess |",
        "|---|---|---|---|",
    ]
    for name, words in WHAT.items():
        latents, means = scores[name, "latents"], scores[name, "mean states"]
        lines.append(
            f"| {words} | {_span(latents.score)} | {_span(means.score)} | "
            f"{latents.base.point:.3f} |"
        )
    return "\n".join(lines)


def _span(interval: Interval) -> str:
    return f"{interval.point:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
