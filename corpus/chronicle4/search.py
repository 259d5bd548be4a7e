"""A reader that searches with a thesaurus: the entity and the attribute in one sentence.

It knows every synonym of the world, which is half of the task, but neither pronouns nor trades,
wishes, swaps or rumours. It is reported beside the cheap readers and is none of them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from .page import Case

_ROLE_WORDS: Final = {
    ("mentor", "pupil"): ("teaches", "lessons"),
    ("doctor", "patient"): ("cures", "nursed"),
    ("lawyer", "client"): ("court", "defended"),
    ("employer", "servant"): ("pays", "wages"),
    ("chef", "guest"): ("cooks", "meals"),
}


def search(learned: Sequence[Case]) -> Callable[[Case], str]:
    """The newest value in a sentence with the entity and the attribute; day filter for days."""
    return _read


def _read(case: Case) -> str:
    names = [name for name in case.names if not name.islower()]
    if case.family == "relation":
        return _relation(case, names)
    if not case.attributes:
        return ""
    if case.family in ("holder", "aggregate"):
        return _whose(case)
    return _item(case, names)


def _found(case: Case, name: str) -> list[int]:
    """Sentences with a person and the attribute, the day asked about or before it."""
    limit = re.search(r"on day ([0-9]+)", case.text)
    mine = set(case.page.where.get(name, ()))
    about = case.page.where.get(case.attributes[0], ())
    last = int(limit[1]) if limit else 10**9
    return [at for at in about if at in mine and case.page.lines[at].day <= last]


def _item(case: Case, names: Sequence[str]) -> str:
    rows = [_found(case, name) for name in names]
    if not rows or not rows[0]:
        return ""
    lines = case.page.lines
    if case.family == "order":
        days = [lines[found[-1]].day if found else 0 for found in rows[:2]]
        first = days[0] < days[-1]
        return ("yes" if first else "no") if case.kind == "yes_no" else names[not first]
    if case.family == "when":
        day = lines[rows[0][-1]].day
        before = re.search(r"before day ([0-9]+)", case.text)
        return str(day) if before is None else "yes" if day < int(before[1]) else "no"
    values = [v for at in rows[0] for kind in _KINDS for _, v in lines[at].values.get(kind, ())]
    if case.family == "changed":
        count = len(set(values))
        return str(count) if case.kind == "count" else "yes" if count > 1 else "no"
    if not values:
        return ""
    value = values[0] if " first " in case.text else values[-1]
    return value if case.kind != "yes_no" else "yes" if value == case.proposed else "no"


def _relation(case: Case, names: Sequence[str]) -> str:
    mine = set(case.page.where.get(names[0], ()))
    for nouns, words in _ROLE_WORDS.items():
        for at in case.page.with_any(words):
            people = [name for _, name in case.page.lines[at].values.get("person", ())]
            others = [name for name in people if name != names[0]]
            if at not in mine or not others:
                continue
            if case.kind == "role" and names[1] in others:
                return nouns[0]
            if any(noun in case.words for noun in nouns):
                return others[0] if case.kind != "yes_no" else "yes"
    return "no" if case.kind == "yes_no" else ""


def _whose(case: Case) -> str:
    about = case.page.where.get(case.attributes[0], ())
    rows = [at for at in about if not case.proposed or case.proposed in case.page.lines[at].words]
    found = [v for at in rows for _, v in case.page.lines[at].values.get(case.kind, ())]
    return str(len(rows)) if case.kind == "count" else found[-1] if found else ""


_KINDS: Final = ("town", "number", "word", "closed")
