"""Sources in train, validation and test, so that no text of one stands in two of them.

A text is often shipped many times: every binary package has the changelog of its source package,
a new version of a compiler begins with the changelog of the last one, a fix is announced for five
series in the same words. Sources that share an entry are one group, a group is in one split, and
the entry is kept once.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .entries import Entry, Source, runs_of

SPLITS: Final = ("train", "validation", "test")
SHARES: Final = (0.8, 0.1, 0.1)
"""Of the groups, in the order of `SPLITS`."""
RULE: Final = (
    "by SHA-256 of the first name of a group of sources, 0.8 train, 0.1 validation, 0.1 test; "
    "sources are one group where they have a name or an entry in common"
)
_LEAST_WHOLE: Final = 80
_LEAST_BODY: Final = 200
"""Letters and digits of an entry, with heading and date and without, from which on it is known
again. Shorter ones, such as a bare rebuild, are alike by chance."""


@dataclass(frozen=True, slots=True)
class Separated:
    """Sources without what stands in another one, each in a split."""

    sources: tuple[tuple[Source, str], ...]
    """(source, split), by name."""
    dropped: int
    """Entries left out, because an earlier source has them."""
    groups: int
    largest: int
    """Names of sources in the largest group."""


def split_of(name: str) -> str:
    """The split of a group, by its first name; the same on every machine."""
    place = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12
    return SPLITS[sum(place >= sum(SHARES[: number + 1]) for number in range(len(SPLITS) - 1))]


def separate(sources: Sequence[Source]) -> Separated:
    """Leave out repeated entries and give every source its split.

    Of several sources with an entry the first one by name keeps it, of one name the one with most
    entries.
    """
    ordered = sorted(sources, key=lambda one: (one.name, -len(one.entries), one.file))
    groups = _Groups()
    owner: dict[bytes, int] = {}
    for index, source in enumerate(ordered):
        groups.join(source.name, source.name)
        for entry in source.entries:
            for key in _keys(entry):
                groups.join(ordered[owner.setdefault(key, index)].name, source.name)
    kept = list[tuple[Source, str]]()
    dropped = 0
    for index, source in enumerate(ordered):
        left = [[_own(entry, owner, index) for entry in run] for run in source.runs]
        dropped += sum(entry is None for run in left for entry in run)
        runs = tuple(part for run in left for part in runs_of(run))
        if runs:
            kept.append((replace(source, runs=runs), split_of(groups.first(source.name))))
    return Separated(tuple(kept), dropped, *groups.sizes())


def _own(entry: Entry, owner: dict[bytes, int], index: int) -> Entry | None:
    return entry if all(owner[key] == index for key in _keys(entry)) else None


def _keys(entry: Entry) -> Iterator[bytes]:
    """By what an entry is known again: all its words, and those without heading and sign-off."""
    body = [part for part in entry.parts if not entry.label or entry.label not in part]
    body = [part for part in body if not entry.date or entry.date not in part]
    for parts, least in ((entry.parts, _LEAST_WHOLE), (body, _LEAST_BODY)):
        words = _letters(" ".join(parts))
        if len(words) >= least:
            yield hashlib.sha256(words.encode()).digest()


def _letters(text: str) -> str:
    """Letters and digits of a text, in lower case: by them it is known again."""
    return "".join(re.findall(r"[^\W_]+", text.casefold()))


class _Groups:
    """Names that belong together; the first one by name stands for all."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def first(self, name: str) -> str:
        """The first name of the group of a name."""
        above = self._parent.setdefault(name, name)
        while above != name:
            self._parent[name] = self._parent[above]
            name, above = above, self._parent[above]
        return name

    def join(self, one: str, other: str) -> None:
        """Make one group of the groups of two names."""
        low, high = sorted((self.first(one), self.first(other)))
        self._parent[high] = low

    def sizes(self) -> tuple[int, int]:
        """Number of groups, and names in the largest."""
        counts = Counter(self.first(name) for name in self._parent)
        return len(counts), max(counts.values(), default=0)
