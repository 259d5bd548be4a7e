"""A classifier of two bags of words, for answers out of a closed set.

One bag holds the words of sentences with the entity, the other those of sentences with the
attribute; names, numbers and made-up words are taken out, so the two never meet. An averaged
perceptron: deterministic, with nothing to tune.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .page import Case

EPOCHS: Final = 4
CLOSED: Final = ("yes_no", "trade", "role", "place", "count", "closed")
"""Types of answer that it is for."""


def bags(learned: Sequence[Case]) -> Callable[[Case], str]:
    """A reader trained on the cases with an answer out of a closed set."""
    models: dict[str, _Perceptron] = {}
    cases: defaultdict[str, list[Case]] = defaultdict(list)
    for case in learned:
        if case.kind in CLOSED:
            cases[_task(case)].append(case)
    for task, own in cases.items():
        models[task] = _Perceptron([(tuple(features(case)), case.answer) for case in own])

    def read(case: Case) -> str:
        model = models.get(_task(case))
        return model.best(tuple(features(case))) if model else ""

    return read


def _task(case: Case) -> str:
    return f"{case.family}/{case.kind}"


def features(case: Case) -> Iterator[str]:
    """Everything that the classifier sees of a case."""
    yield "bias"
    yield f"q {case.skeleton}"
    page = case.page
    places = (
        ("e", page.with_any(case.names[:1])),
        ("f", page.with_any(case.names[1:])),
        ("a", page.with_any(case.attributes)),
        ("v", page.with_any((case.proposed,))),
    )
    for bag, sentences in places:
        yield f"{bag} count {min(len(sentences), 9)}"
        words = (word for at in sentences for word in page.lines[at].words)
        for word in dict.fromkeys(words):
            if not word[0].isupper() and not word.isdigit():
                yield f"{bag} {word}"
    yield f"chunks {min(9, len(page.document.chunks))}"
    ends = [[page.lines[at].chunk for at in found[:1] + found[-1:]] for _, found in places]
    yield f"order {ends[0] < ends[1]}"
    yield f"order of ends {ends[0][-1:] < ends[1][-1:]}"


class _Perceptron:
    def __init__(self, examples: Sequence[tuple[tuple[str, ...], str]]) -> None:
        self.labels = sorted({label for _, label in examples})
        self.weights: dict[str, defaultdict[str, float]] = {
            label: defaultdict(float) for label in self.labels
        }
        totals = {label: defaultdict[str, float](float) for label in self.labels}
        order = sorted(range(len(examples)), key=lambda at: zlib.crc32(str(at).encode()))
        steps = EPOCHS * len(order)
        for step in range(steps):
            found, label = examples[order[step % len(order)]]
            guess = self.best(found)
            if guess != label:
                for feature in found:
                    self.weights[label][feature] += 1
                    totals[label][feature] += steps - step
                    self.weights[guess][feature] -= 1
                    totals[guess][feature] -= steps - step
        self.weights = totals

    def best(self, found: Sequence[str]) -> str:
        """The label with the largest sum of weights, the first one of equals."""
        sums = {
            label: sum(weights[feature] for feature in found if feature in weights)
            for label, weights in self.weights.items()
        }
        return max(self.labels, key=lambda label: sums[label])
