"""How near a wrong answer is: what was mixed up, or merely misspelt; and what to rank it against.

Exact match cannot tell a value that was lost from one that is known and misspelt. `classify`
can, and `candidates` gives the answers whose likelihoods a reader may be asked to rank, a measure
that spelling does not move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .confusions import MISTAKES, Mistake
from .facts import Asked

Verdict = Literal["right", "misspelt", Mistake, "foreign"]
VERDICTS: Final[tuple[Verdict, ...]] = ("right", "misspelt", *MISTAKES, "foreign")
"""Right; the right value misspelt; a wrong value of the document, spelt right or not, by the
mistake it shows; a string that is close to none of them."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """One answer, judged."""

    verdict: Verdict
    edits: int
    """Edit distance to the candidate that it is taken for; to the right answer if foreign."""


def distance(one: str, other: str) -> int:
    """Fewest insertions, deletions and substitutions of characters from one to the other."""
    row = list(range(len(other) + 1))
    for at, mine in enumerate(one, start=1):
        before, row[0] = row[0], at
        for to, theirs in enumerate(other, start=1):
            before, row[to] = (
                row[to],
                min(row[to] + 1, row[to - 1] + 1, before + (mine != theirs)),
            )
    return row[-1]


def near_enough(right: str) -> int:
    """Most edits of a misspelling: under half of the characters, so one digit of three is."""
    return (len(right) - 1) // 2


def classify(prediction: str, asked: Asked) -> Nearness:
    """Judge an answer to a question whose wrong answers are known.

    The nearest candidate decides, where it is near enough; of equally near ones the right answer
    is preferred last, so that nothing counts as misspelt that could be another value.

    Args:
        prediction: what was answered; case counts, surrounding blanks and a full stop do not.
        asked: the question.
    """
    said = prediction.strip().removesuffix(".").strip()
    right = asked.question.answer
    if said == right:
        return Nearness("right", 0)
    to_right = distance(said, right)
    best = Nearness("foreign", to_right)
    if asked.form == "yes_no":
        return best
    edits = near_enough(right) + 1
    for mistake, value in known_mistakes(asked):
        found = distance(said, value)
        if found < edits and found <= near_enough(value):
            edits, best = found, Nearness(mistake, found)
    if to_right < edits:
        return Nearness("misspelt", to_right)
    return best


def known_mistakes(asked: Asked) -> tuple[tuple[Mistake, str], ...]:
    """Wrong answers of the right form, those replaced by the time asked about first."""
    stale = tuple[tuple[Mistake, str], ...](
        ("stale", value) for value in asked.question.stale_answers
    )
    taken = {value: None for _, value in stale}
    return (*stale, *(each for each in asked.mistakes if each[1] not in taken))


def candidates(asked: Asked, most: int = 8) -> tuple[str, ...]:
    """Answers to rank: the right one first, then stale ones, then others in turn by mistake.

    Args:
        asked: the question.
        most: how many in all.
    """
    if asked.form == "yes_no":
        return (asked.question.answer, "no" if asked.question.answer == "yes" else "yes")
    by_mistake: dict[Mistake, list[str]] = {mistake: [] for mistake in MISTAKES}
    for mistake, value in known_mistakes(asked):
        by_mistake[mistake].append(value)
    found = [asked.question.answer, *by_mistake.pop("stale")]
    depth = max((len(values) for values in by_mistake.values()), default=0)
    for at in range(depth):
        found += [values[at] for values in by_mistake.values() if at < len(values)]
    return tuple(found[:most])


def stale_rank(scores: Sequence[float], asked: Asked) -> bool:
    """Whether a stale answer scores above the right one.

    Args:
        scores: of `candidates(asked)`, in their order; the higher the likelier.
        asked: the question.
    """
    stale = len(asked.question.stale_answers)
    return any(score > scores[0] for score in scores[1 : 1 + stale])
