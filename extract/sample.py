"""Which documents of a run the self-test reads, and how much of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FIRST: Final = 64
"""Documents of the corpus among which the longest and the shortest are taken."""
MOST_TOKENS: Final = 512
"""Of a document, unless the model's code does something else with longer ones."""
LEAST_TOKENS: Final = 64
"""Below which a sample is not shortened for want of memory."""
_BEHIND: Final = 64
"""Tokens that are read behind such a length."""

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Sample:
    """Three documents that go into one batch."""

    short: Tokens
    part: Tokens
    """The beginning of `long`: what stands behind it must not change its states."""
    long: Tokens

    @property
    def documents(self) -> tuple[Tokens, ...]:
        """In the order of a batch, shortest document first."""
        return (self.short, self.part, self.long)


def choose_sample(
    documents: Sequence[Tokens],
    lengths: Sequence[int],
    telling: Sequence[int],
    switches: Sequence[int],
) -> Sample:
    """The longest and the shortest of a run's first documents, cut to what is enough.

    Args:
        documents: token ids of the run's documents; only those that are chosen are looked at.
        lengths: of all of them.
        telling: lengths from which on the model's code does something else (`telling_lengths`);
            the first document that is longer than the largest possible one is taken, and read
            to behind it.
        switches: those of them that concern the whole batch (`switch_lengths`).
    """
    first = sorted(range(min(FIRST, len(lengths))), key=lengths.__getitem__)
    short, long, most = first[0], first[-1], MOST_TOKENS
    for limit in sorted(telling, reverse=True):
        longer = next((i for i, length in enumerate(lengths) if length > limit), None)
        if longer is not None:
            long, most = longer, max(most, limit + _BEHIND)
            break
    return _sample(documents[short][:MOST_TOKENS], documents[long][:most], switches)


def shortened(sample: Sample, most: int, switches: Sequence[int]) -> Sample:
    """The sample with documents of at most so many tokens."""
    return _sample(sample.short[:most], sample.long[:most], switches)


def _sample(short: Tokens, long: Tokens, switches: Sequence[int]) -> Sample:
    if len(short) == len(long) > 1:
        short = short[: max(1, len(short) // 3)]
    # The part is read as the whole is: on the same side of every length that concerns a batch.
    least = max((switch + 1 for switch in switches if switch < len(long)), default=1)
    return Sample(short, long[: max(least, len(long) // 2)], long)
