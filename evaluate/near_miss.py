"""How near a wrong answer is: what was mixed up, or merely misspelt; and what to rank it against.

Exact match cannot tell a value that was lost from one that is known and misspelt. `near_miss`
can, as far as the wrong answers of a question are known; `candidates` gives the answers whose
likelihoods a reader may be asked to rank, a measure that spelling does not move.
"""

from collections.abc import Iterator
from typing import Final

from ..corpus.records import Question
from .exact import normalise

MISTAKES: Final = ("stale", "other_attribute", "other_entity", "unreal")
"""A value that was replaced by the time asked about, or was not yet so; one of the right person
but another attribute; of another person; one only wished for, rumoured or denied."""
VERDICTS: Final = ("misspelt", *MISTAKES, "opposite", "foreign", "abstain")
"""The right value misspelt; another value that the document has, by the mistake it shows, spelt
right or not; the other of yes and no; a string close to none of them; no answer."""

ABSTENTIONS: Final = frozenset(
    {"", "unknown", "none", "n/a", "not known", "not stated", "not mentioned", "not given"}
    | {f"i {do} know" for do in ("don't", "do not")}
)
"""What counts as no answer, normalised."""
_YES_NO: Final = ("yes", "no")
MOST_CANDIDATES: Final = 8
"""Answers to rank for one question, the right one among them."""


def near_miss(prediction: str, question: Question) -> str:
    """The verdict on a wrong answer, one of `VERDICTS`.

    The nearest candidate decides, where it is near enough (`bound`); of equally near ones the
    right answer is preferred last, so nothing counts as misspelt that could be another value.

    Args:
        prediction: a wrong answer; compared as exact match compares.
        question: with the wrong answers that are known.
    """
    given, right = normalise(prediction), normalise(question.answer)
    if given in ABSTENTIONS:
        return "abstain"
    if right in _YES_NO:
        return "opposite" if given in _YES_NO else "foreign"
    verdict, edits = "foreign", bound(right) + 1
    for mistake, value in known_mistakes(question):
        other = normalise(value)
        limit = min(edits - 1, bound(other))
        if (distance := distance_within(given, other, limit)) is not None:
            verdict, edits = mistake, distance
    if distance_within(given, right, edits - 1) is not None:
        return "misspelt"
    return verdict


def bound(text: str) -> int:
    """Most edits of a misspelling: under half of the characters; one digit of three is one."""
    return (len(text) - 1) // 2


def distance_within(one: str, other: str, limit: int) -> int | None:
    """Levenshtein's distance of two texts; None where it is above `limit`.

    Fewest insertions, deletions and substitutions of characters (Levenshtein 1966), by rows
    (Wagner and Fischer 1974), ended where no path can stay within the limit.
    """
    if abs(len(one) - len(other)) > limit:
        return None
    row = list(range(len(other) + 1))
    for at, mine in enumerate(one, start=1):
        before, row[0] = row[0], at
        for to, theirs in enumerate(other, start=1):
            before, row[to] = (
                row[to],
                min(row[to] + 1, row[to - 1] + 1, before + (mine != theirs)),
            )
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None


def known_mistakes(question: Question) -> Iterator[tuple[str, str]]:
    """(mistake, value): wrong answers, those that were replaced first, each value once."""
    seen = {normalise(question.answer)}
    stale = (("stale", value) for value in question.stale_answers)
    for mistake, value in (*stale, *question.mistakes):
        if (key := normalise(value)) not in seen:
            seen.add(key)
            yield mistake, value


def candidates(question: Question, most: int = MOST_CANDIDATES) -> tuple[tuple[str, str], ...]:
    """(what it is, answer) to rank: `right` first, then `stale`, then other mistakes in turn.

    Args:
        question: with the wrong answers that are known.
        most: how many in all.
    """
    if question.answer in _YES_NO:
        other = next(word for word in _YES_NO if word != question.answer)
        return (("right", question.answer), ("opposite", other))
    by_mistake: dict[str, list[tuple[str, str]]] = {}
    for mistake, value in known_mistakes(question):
        by_mistake.setdefault(mistake, []).append((mistake, value))
    ranked = [("right", question.answer), *by_mistake.pop("stale", [])]
    for at in range(max((len(values) for values in by_mistake.values()), default=0)):
        ranked += [values[at] for values in by_mistake.values() if at < len(values)]
    return tuple(ranked[:most])
