"""The committed shards of a store, as a writer looks at them again and again.

A look costs one listing of the ledger: records that did not change are not read again, and the
files of a shard are looked at once, by listings instead of a question for each.
"""

import time

from ...common.errors import StoreError
from ..format import seal
from ..format.layout import STATES, STATISTICS, TOKENS, shard_files
from ..format.ledger import Known
from ..format.shard_table import ShardTable
from ..format.steps import repair_step
from ..places.protocol import Place

_FEW = 8
"""Shards whose files are asked for one by one; a listing costs more."""


class Committed:
    """Every record of a store, its files checked for size. Several writers may share it."""

    def __init__(self, place: Place) -> None:
        """Nothing is read yet."""
        self._place = place
        self._known = Known()
        self._checked: set[int] = set()
        self._looked = -float("inf")
        self.records = ShardTable()

    def look(self, *, max_age: float = 0.0, again: bool = False) -> ShardTable:
        """Read what is new in the ledger.

        Args:
            max_age: seconds since the last look within which that will do.
            again: look at the files of all shards again, not only of those that are new.

        Raises:
            StoreError: a record is damaged, or the files of a committed shard are.
        """
        now = time.monotonic()
        if again or now - self._looked >= max_age:
            self.records = seal.recorded(self._place, self._known)
            if again:
                self._checked.clear()
            self._checked &= self.records.keys()
            self._check(sorted(self.records.keys() - self._checked))
            self._checked = set(self.records)
            self._looked = now
        return self.records

    def _check(self, shards: list[int]) -> None:
        for number, folder in enumerate((STATES, TOKENS, STATISTICS)):
            wanted = {
                shard_files(shard)[number]: (shard, self.records.sizes(shard)[number])
                for shard in shards
            }
            if len(shards) > _FEW:
                for file in self._place.listing(folder):
                    if file.name in wanted and wanted[file.name][1] == file.bytes:
                        del wanted[file.name]
            for name, (shard, expected) in wanted.items():
                size = self._place.size(name)
                if size != expected:
                    problem = "is missing" if size is None else f"has {size} of {expected} bytes"
                    raise StoreError(
                        f"{self._place.at(name)}: shard {shard} was committed but its file "
                        f"{problem}: {repair_step(self._place)}"
                    )
