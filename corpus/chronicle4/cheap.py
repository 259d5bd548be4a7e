"""Cheap readers: what a family is worth to somebody who does not understand the document.

`CHEAP` is a table of functions. Each is given the cases it may learn from and gives back a reader:
from a case to an answer, empty if it has none. None of them uses the entity and the attribute
of a question together; `search.py` holds one that does, with a thesaurus of all synonyms, which
is reported beside the others but is no shortcut.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from .bags import bags
from .page import Case, Line

Reader = Callable[[Case], str]
Fit = Callable[[Sequence[Case]], Reader]
Choose = Callable[[Case, list[tuple[int, str]]], str]
"""From (sentence, value) in the order of the text, one value."""


def question_only(learned: Sequence[Case]) -> Reader:
    """The commonest answer to a question of this wording: the floor."""
    by_skeleton: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_kind: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in learned:
        by_skeleton[case.skeleton][_relative(case, case.answer)] += 1
        by_kind[f"{case.family}/{case.kind}"][_relative(case, case.answer)] += 1

    def read(case: Case) -> str:
        found = by_skeleton.get(case.skeleton) or by_kind.get(f"{case.family}/{case.kind}")
        guess = found.most_common(1)[0][0] if found else ""
        if guess.startswith("name "):
            at = int(guess[5:])
            return case.names[at] if at < len(case.names) else ""
        return guess

    return read


def _relative(case: Case, answer: str) -> str:
    return f"name {case.names.index(answer)}" if answer in case.names else answer


def newest(case: Case, found: list[tuple[int, str]]) -> str:
    """The last value."""
    return found[-1][1] if found else ""


def first(case: Case, found: list[tuple[int, str]]) -> str:
    """The first value."""
    return found[0][1] if found else ""


def commonest(case: Case, found: list[tuple[int, str]]) -> str:
    """The most frequent value, the newer one of equals."""
    counts = Counter(value for _, value in found)
    return max(reversed(found), key=lambda each: counts[each[1]])[1] if found else ""


def _values(case: Case, sentences: Sequence[int]) -> list[tuple[int, str]]:
    """Values of the right type in some sentences; those that the question names are none."""
    page = case.page
    if case.kind == "day":
        return [(at, str(page.lines[at].day)) for at in sentences]
    if case.kind == "person" and " or " in case.text:
        return [(at, w) for at in sentences for w in page.lines[at].words if w in case.names]
    return [
        (at, value)
        for at in sentences
        for _, value in page.lines[at].values.get(case.kind, ())
        if value not in case.words
    ]


def _agrees(case: Case, sentences: Sequence[int], choose: Choose) -> str:
    """Whether the value that is chosen among those of its type is the proposed one."""
    lines = case.page.lines
    kinds = [
        k
        for k in ("town", "number", "word", "closed")
        if any(case.proposed in (v for _, v in line.values.get(k, ())) for line in lines)
    ]
    found = [(at, v) for at in sentences for k in kinds[:1] for _, v in lines[at].values.get(k, ())]
    return "yes" if choose(case, found) == case.proposed else "no"


def _among(sentences: Callable[[Case], Sequence[int]], choose: Choose) -> Fit:
    def fit(learned: Sequence[Case]) -> Reader:
        def read(case: Case) -> str:
            if case.kind == "yes_no":
                return _agrees(case, sentences(case), choose) if case.proposed else ""
            return choose(case, _values(case, sentences(case)))

        return read

    return fit


def _everywhere(case: Case) -> Sequence[int]:
    return range(len(case.page.lines))


def _entity(case: Case) -> Sequence[int]:
    return case.page.with_any(case.names or (case.proposed,))


def _attribute(case: Case) -> Sequence[int]:
    return case.page.with_any(case.attributes)


def _newest_chunk(case: Case) -> Sequence[int]:
    """Sentences of the newest chunk that names the entity."""
    found = _entity(case)
    chunk = case.page.lines[found[-1]].chunk if found else -1
    return [at for at, line in enumerate(case.page.lines) if line.chunk == chunk]


def lexical(order: int) -> Fit:
    """The sentence with the largest overlap of words, rare ones first; then the nearest value.

    Args:
        order: 1 for the older of equal sentences, -1 for the newer.
    """

    def fit(learned: Sequence[Case]) -> Reader:
        def read(case: Case) -> str:
            page = case.page
            count = len(page.lines)
            scores: defaultdict[int, float] = defaultdict(float)
            for word in dict.fromkeys(word for word in case.words if word not in STOP_WORDS):
                for at in page.where.get(word, ()):
                    scores[at] += math.log(1 + count / len(page.where[word]))
            ranked = sorted(scores, key=lambda at: (-scores[at], order * at))
            if case.kind == "yes_no":
                return _lexical_yes(case, ranked)
            for at in ranked:
                value = _nearest(case, page.lines[at], at)
                if value:
                    return value
            return ""

        return read

    return fit


def _lexical_yes(case: Case, ranked: Sequence[int]) -> str:
    best = case.page.lines[ranked[0]].words if ranked else ()
    both = case.proposed in best and any(name in best for name in case.names)
    return "yes" if both else "no"


def _nearest(case: Case, line: Line, at: int) -> str:
    if case.kind in ("day",) or " or " in case.text:
        return newest(case, _values(case, [at]))
    spots = [spot for spot, word in enumerate(line.words) if word in case.words]
    values = [each for each in line.values.get(case.kind, ()) if each[1] not in case.words]
    if not values:
        return ""
    near = lambda each: min((abs(each[0] - spot) for spot in spots), default=0)  # noqa: E731
    return min(values, key=near)[1]


def beside(step: int, last: bool) -> Fit:
    """The value of the right type that follows or precedes the entity most closely.

    Args:
        step: 1 for what follows, -1 for what precedes.
        last: whether the last mention counts, or the first.
    """

    def fit(learned: Sequence[Case]) -> Reader:
        def read(case: Case) -> str:
            found: list[str] = []
            for at in _entity(case):
                line = case.page.lines[at]
                spots = [s for s, word in enumerate(line.words) if word in case.names]
                values = [v for v in line.values.get(case.kind, ()) if v[1] not in case.words]
                near = [(step * (spot - s), v) for spot, v in values for s in spots]
                near = [each for each in near if each[0] > 0]
                found += [min(near)[1]] if near else []
            return (found[-1] if last else found[0]) if found else ""

        return read

    return fit


def together(learned: Sequence[Case]) -> Reader:
    """Yes if the entity and the proposed value stand in one sentence."""

    def read(case: Case) -> str:
        if case.kind != "yes_no":
            return ""
        names = case.page.with_any(case.names[:1])
        other = [case.proposed] if case.proposed else list(case.names[1:])
        near = [at for at in names if any(word in case.page.lines[at].words for word in other)]
        return "yes" if near else "no"

    return read


STOP_WORDS: Final = ("a", "an", "did", "had", "has", "in", "is", "of", "s", "the", "to", "was")
"""Words that a search leaves out."""
CHOICES: Final[dict[str, Choose]] = {"newest": newest, "first": first, "commonest": commonest}
PLACES: Final[dict[str, Callable[[Case], Sequence[int]]]] = {
    "document": _everywhere,
    "entity": _entity,
    "attribute": _attribute,
    "newest chunk": _newest_chunk,
}
CHEAP: Final[dict[str, Fit]] = {
    **{
        f"{place}, {choice}": _among(sentences, choose)
        for place, sentences in PLACES.items()
        for choice, choose in CHOICES.items()
    },
    "lexical search, newer": lexical(-1),
    "lexical search, older": lexical(1),
    "after entity, last": beside(1, True),
    "after entity, first": beside(1, False),
    "before entity, last": beside(-1, True),
    "before entity, first": beside(-1, False),
    "together": together,
    "two bags": bags,
}
"""Readers that are not to come close to the ceiling, by name."""
