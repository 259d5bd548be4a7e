"""What pages quote of the lab models: accuracy with the document and without it, and what is short.

A file for each measurement: those of `latentcomp lab-models --measure`, on documents of one seed.
"""

from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import Any, Final

from .measured_with import measured_with
from .speeds import result_file

TEACHER: Final = "lab_models.json"
STUDENT: Final = "lab_student.json"
LONG: Final = "lab_long.json"
_TEACHER, _STUDENT = "lab", "lab-student"
"""What a model is called in its file."""

Columns = Mapping[str, Mapping[str, Any]]
"""Head of a column -> accuracies of one arm of a model."""


def models_block(results: Path) -> str:
    """Markdown of what the lab models can do.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
        TeacherError: a file is of another teacher than those of the lab.
    """
    record, other = result_file(results / TEACHER), result_file(results / STUDENT)
    teacher, student = record["models"][_TEACHER], other["models"][_STUDENT]
    held, fewer = record["held_out"], other["held_out"]
    columns: Columns = {
        "teacher": teacher["ceiling"],
        "student": student["ceiling"],
        "teacher without the document": teacher["floor"],
    }
    lines = [
        f"From `docs/results/{TEACHER}` ("
        f"{measured_with(teacher['identity']['weights_sha256'])}; "
        f"{held['documents']:,} held-out documents, seed {held['seed']}) and `docs/results/"
        f"{STUDENT}` (its student, {fewer['documents']:,} documents, seed {fewer['seed']}); greedy "
        "exact match, 95 % intervals over documents.",
        "",
        *_table("family", columns),
        _row("**all**", [arm["accuracy"] for arm in columns.values()]),
        "",
        *_table("form", columns),
        "",
        _of_long(result_file(results / LONG)),
    ]
    return "\n".join(lines)


def _table(part: str, columns: Columns) -> Iterator[str]:
    """A table by family or by form of the answer."""
    yield f"| {part} | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    parts = [arm[f"by_{part}"] for arm in columns.values()]
    for name in sorted(parts[0]):
        yield _row(name, [of.get(name) for of in parts])


def _row(name: str, cells: list[Mapping[str, Any] | None]) -> str:
    return f"| {name} | " + " | ".join(map(_span, cells)) + " |"


def _of_long(record: Mapping[str, Any]) -> str:
    """A sentence on long documents, against the bar that was set for them."""
    long = record["models"][_TEACHER]
    bar, families = record["bars"]["long"]["overall"], long["ceiling"]["by_family"]
    lowest = sorted(families, key=lambda name: float(families[name]["point"]))[:3]
    names = ", ".join(f"`{name}` {families[name]['point']:.3f}" for name in lowest)
    verdict = "over" if long["bars_met"] else "short of"
    return (
        f"Of long documents (preset `long`, {record['held_out']['documents']} of them, "
        f"`docs/results/{LONG}`) the teacher answers {_span(long['ceiling']['accuracy'])}, "
        f"{verdict} the bar of {bar:.2f}; lowest {names}."
    )


def _span(figure: Mapping[str, Any] | None) -> str:
    if figure is None or isnan(figure["point"]):
        return "–"
    return f"{figure['point']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
