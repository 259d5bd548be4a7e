"""Who is named in a segment, and whose a value in it is: the labels of two probes.

People are known from questions: names that are an answer, or a mistake for one. A value's owner is
the one person whom a question names that asks for this value and nothing else. Where a source does
not say forms of answers there are no people, and no such probes.

Names are told by a code, so that a name which was never fitted can be told too: the mean of fixed
random vectors of its tokens, which a linear map reaches where it reaches the tokens.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import numpy as np

from ...corpus.records import Document, Question
from ...store.read.features import DocumentFeatures
from ..stats import FloatArray

Encode = Callable[[str], list[int]]
"""Text to tokens of the teacher."""
NO_PERSON: Final = -1
CODE: Final = 64
"""Numbers of a code."""
_OWNED: Final = ("fact", "latest")
"""Families whose answer is a value of the one who is named."""


def people_of(document: Document) -> tuple[str, ...]:
    """Names of its people, as far as its questions tell them; sorted."""
    questions = [question for question in document.questions if question.form == "name"]
    answers = {question.answer for question in questions}
    others = {
        value
        for question in questions
        for kind, value in question.mistakes
        if kind == "other_entity"
    }
    return tuple(sorted(answers | others))


def codes(people: Sequence[str], encode: Encode) -> FloatArray:
    """One code a person [P, 64]."""
    rows = [np.mean([_code(token) for token in encode(f" {name}")], axis=0) for name in people]
    return np.array(rows, dtype=np.float64).reshape(len(people), CODE)


@cache
def _code(token: int) -> FloatArray:
    return np.random.default_rng([CODE, token]).standard_normal(CODE)


def named(document: Document, features: DocumentFeatures, encode: Encode) -> dict[int, int]:
    """Token -> index of the person whose name it is part of."""
    labels: dict[int, int] = {}
    whole = (0, len(document.chunks))
    for index, name in enumerate(people_of(document)):
        labels |= dict.fromkeys(_places(name, features, encode, whole), index)
    return labels


def owned(document: Document, features: DocumentFeatures, encode: Encode) -> dict[int, int]:
    """Token -> index of the person whose value it is part of, in the chunk that settles it."""
    people = people_of(document)
    labels: dict[int, set[int]] = {}
    for question in document.questions:
        owner = _owner(question, people)
        if owner == NO_PERSON:
            continue
        last = question.evidence[-1]
        for token in _places(question.answer, features, encode, (last, last + 1)):
            labels.setdefault(token, set()).add(owner)
    return {token: min(owners) for token, owners in labels.items() if len(owners) == 1}


def _owner(question: Question, people: Sequence[str]) -> int:
    """Index of whose value the answer is; `NO_PERSON` where that is not one person's."""
    direct = question.family in _OWNED and question.hops == 0 and bool(question.evidence)
    if not direct or question.form not in ("word", "number"):
        return NO_PERSON
    words = set(re.findall(r"\w+", question.text))
    matches = [index for index, name in enumerate(people) if name in words]
    return matches[0] if len(matches) == 1 else NO_PERSON


def _places(
    text: str, features: DocumentFeatures, encode: Encode, chunks: tuple[int, int]
) -> set[int]:
    """Tokens of a text wherever it stands in chunks [first, end), behind a blank or without."""
    ids, spans = features.token_ids.tolist(), features.spans.tolist()
    start, stop = spans[chunks[0]], spans[chunks[1]]
    places: set[int] = set()
    for wanted in (encode(f" {text}"), encode(text)):
        for at in range(start, stop - len(wanted) + 1):
            if ids[at : at + len(wanted)] == wanted:
                places |= set(range(at, at + len(wanted)))
    return places
