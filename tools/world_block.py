"""What pages quote of the world: who answers with the document, without it, and without reading."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .measured_with import measured_with
from .speeds import result_file

WORLD: Final = "world.json"
_HEAD: Final = "| questions | ceiling | text as it ships | floor | best cheap reader | its share |"


def world_line(results: Path) -> str:
    """A paragraph: what the world shows, and what it does not.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
        TeacherError: it is of another teacher than those of the lab.
    """
    record = result_file(results / WORLD)
    teacher, asks, cheap = record["teacher"], record["asks"], record["cheap"]
    whole, best = teacher["overall"], cheap["best_of_any_family"]
    lowest = _lowest(teacher["by_family"])
    needing = asks["questions_that_need_days"]
    return (
        f"The documents are [chronicles](docs/corpus.md) of people who do not exist, version "
        f"{record['generator']}. The teacher answers {_span(whole['ceiling'])} of the questions "
        f"with the document ({_point(teacher['by_family'][lowest]['ceiling'])} in its lowest "
        f"family, `{lowest}`), and {_span(whole['floor'])} without. What reads without "
        "understanding gets at best "
        f"{_share(best)} of the way from guessing to all (`{best['family']}`, by "
        f"{best['reader']}). "
        f"{needing:.0%} of the questions need days that the metadata alone tells. It shows what "
        "survives of a small invented world in plain sentences, by kind of question and of "
        "answer; it shows nothing of natural language, of long documents or of a model that was "
        "not made for it."
    )


def world_block(results: Path) -> str:
    """Markdown of ceiling, floor and cheap readers, by family and by form.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
        TeacherError: it is of another teacher than those of the lab.
    """
    record = result_file(results / WORLD)
    teacher, asks, cheap = record["teacher"], record["asks"], record["cheap"]
    by = measured_with(teacher["identity"]["weights_sha256"])
    verdict = "no family is above" if cheap["holds"] else "a family is above"
    lines = [
        f"From `docs/results/{WORLD}` ({by}; {asks['documents']:,} documents of the split "
        f"`{record['split']}`, seed {record['seed']}, {asks['questions']:,} questions; the teacher "
        f"was asked about {teacher['documents']:,} of them; 95 % intervals over documents).",
        "",
        "| family " + _HEAD + " share of a search with a thesaurus |",
        "|---" * 8 + "|",
        *_families(teacher, asks, cheap),
        "",
        "| form " + _HEAD,
        "|---" * 7 + "|",
        *_forms(teacher, cheap),
        "",
        f"Of the way from guessing to all, {cheap['most_allowed']:.0%} is the most that a cheap "
        f"reader may go; {verdict} it. {asks['chunks_without_a_day']:.0%} of the chunks tell no "
        f"day, and {asks['questions_that_need_days']:.0%} of the questions need one that the "
        f"metadata alone has: with the days written in the teacher answers "
        f"{_span(teacher['worth_of_the_days'])} more of those.",
    ]
    return "\n".join(lines)


def _families(
    teacher: Mapping[str, Any], asks: Mapping[str, Any], cheap: Mapping[str, Any]
) -> Iterator[str]:
    best = {each["family"]: each for each in cheap["readers"] if each["form"] == "all"}
    search = {each["family"]: each for each in cheap["search"]}
    for name, cell in teacher["by_family"].items():
        row = _row(asks["by_family"][name]["questions"], cell, best[name])
        yield f"| `{name}` | {row} | {_share(search[name])} |"
    dearest = cheap["best_of_any_family"]
    row = _row(asks["questions"], teacher["overall"], dearest)
    yield f"| **all** | {row}, in `{dearest['family']}` |  |"


def _forms(teacher: Mapping[str, Any], cheap: Mapping[str, Any]) -> Iterator[str]:
    """Of a form, the cheap reader of the family where it goes furthest."""
    for name, cell in teacher["by_form"].items():
        of_form = [each for each in cheap["readers"] if each["form"] == name]
        furthest = max(of_form, key=lambda each: float(each["share"]))
        row = _row(sum(each["questions"] for each in of_form), cell, furthest)
        yield f"| {name} | {row}, in `{furthest['family']}` |"


def _row(questions: int, cell: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    arms = [_span(cell[arm]) if arm in cell else "" for arm in ("ceiling", "undated", "floor")]
    return f"{questions:,} | {' | '.join(arms)} | {best['reader']} | {_share(best)}"


def _lowest(by_family: Mapping[str, Any]) -> str:
    return min(by_family, key=lambda name: float(by_family[name]["ceiling"]["point"]))


def _point(figure: Mapping[str, Any]) -> str:
    return f"{figure['point']:.3f}"


def _span(figure: Mapping[str, Any]) -> str:
    if figure["point"] is None:
        return "–"
    return f"{figure['point']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _share(price: Mapping[str, Any]) -> str:
    return f"{price['share']:.2f} [{price['low']:.2f}, {price['high']:.2f}]"
