"""Documents and tables for people to read: what stands in docs/corpus.md."""

from collections.abc import Sequence

from .chronicle import chronicles
from .facts import Asked, Chronicle
from .families import FAMILIES
from .lexicon import ATTRIBUTES, ROLES
from .plan import DATED_SHARE, UNDATED_SHARE
from .presets import PRESETS


def show(each: Chronicle, questions: int = 13) -> str:
    """One document in Markdown: its chunks, and the first question of every family.

    Days that only the metadata knows stand in brackets and are no part of the text.
    """
    rows = [f"### {each.document.document_id}", ""]
    for chunk, header in zip(each.document.chunks, each.prose.headers, strict=True):
        rows.append(f"> {chunk.text}" if header else f"> *[day {chunk.day}]* {chunk.text}")
        rows.append(">")
    rows[-1] = ""
    rows += ["| question | answer | family | stands in chunks | |", "|" + "---|" * 5]
    shown: dict[str, Asked] = {}
    for asked in each.asked:
        shown.setdefault(asked.question.family, asked)
    rows += [_row(asked) for asked in list(shown.values())[:questions]]
    return "\n".join(rows)


def _row(asked: Asked) -> str:
    question = asked.question
    chunks = ", ".join(str(chunk) for chunk in question.evidence)
    notes = [f"once {', '.join(question.stale_answers)}"] if question.stale_answers else []
    notes += ["needs the days"] if asked.needs_days else []
    cells = (question.text, f"**{question.answer}**", question.family, chunks, "; ".join(notes))
    return f"| {' | '.join(cells)} |"


def examples(documents: int = 10, seed: int = 0) -> str:
    """Lab documents of the test split, printed."""
    return "\n\n".join(show(each) for each in chronicles("lab", "test", documents, seed))


def families() -> str:
    """The families, what they ask for and the forms of their answers."""
    rows = ["| family | asks | kinds of question, with their shares |", "|---|---|---|"]
    for family in FAMILIES.values():
        kinds = ", ".join(f"{slot.name} {slot.share:.2f}" for slot in family.slots)
        held = "; held out of the compressor's training" if family.held_out else ""
        rows.append(f"| `{family.name}` | {family.asks}{held} | {kinds} |")
    return "\n".join(rows)


def words() -> str:
    """Nouns of statements and of questions for every attribute, and the nouns of roles."""
    rows = ["| form | the document says | a question says |", "|---|---|---|"]
    rows += [f"| {a.form} | {', '.join(a.said)} | {', '.join(a.asked)} |" for a in ATTRIBUTES]
    for role in ROLES:
        said = "; ".join(text.format(P="A", O="B").rstrip(".") for text in role.said)
        rows.append(f"| name | {said} | A is B's {role.agent}, B is A's {role.patient} |")
    return "\n".join(rows)


def days() -> str:
    """How many documents tell their days."""
    return (
        f'Of all documents {DATED_SHARE:.0%} tell the day of every chunk ("Day 40.", or soon after '
        f'another one "Three days later."), {UNDATED_SHARE:.0%} tell none, and in the rest every '
        "other chunk tells none."
    )


def presets() -> str:
    """The sizes there are."""
    rows = ["| preset | chunks | days | forms | most updates of an item | questions of a family |"]
    rows.append("|" + "---|" * 6)
    for size in PRESETS.values():
        updates = (
            f"{size.hot_updates[0]}-{size.hot_updates[1]}" if size.hot_items else "2 and swaps"
        )
        cells: Sequence[object] = (
            f"`{size.name}`",
            f"{size.chunks[0]}-{size.chunks[1]}",
            f"{size.days[0]}-{size.days[1]}",
            size.forms,
            updates,
            f"at most {size.questions_per_family}",
        )
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(rows)


__all__ = ["days", "examples", "families", "presets", "show", "words"]
