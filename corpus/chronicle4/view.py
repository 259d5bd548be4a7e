"""What is known of a world: up to a chunk, in one reading of corrections, on given days."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from .world import Item, Setting, Tie, World


@dataclass
class View:
    """A world as a reader knows it who has read the chunks up to and including `upto`."""

    world: World
    upto: int
    hindsight: bool = False
    """Whether a value that is corrected later is held never to have been in force."""
    days: tuple[int, ...] = ()
    """Day of every chunk; those of the world unless others are tried."""
    _histories: dict[Item, tuple[Setting, ...]] = field(default_factory=dict, repr=False)
    _holders: dict[str, dict[str, tuple[Setting, ...]]] = field(default_factory=dict, repr=False)
    _in_order: dict[str, bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.days:
            self.days = self.world.days

    @property
    def last_day(self) -> int:
        """Day of the last chunk that was read."""
        return self.days[self.upto]

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Items with a value, in the order in which they were stated."""
        return tuple(item for item in self.world.histories if self.history(item))

    def history(self, item: Item) -> tuple[Setting, ...]:
        """Settings of an item, oldest first."""
        history = self._histories.get(item)
        if history is None:
            said = self.world.histories.get(item, [])
            known = [setting for setting in said if setting.chunk <= self.upto]
            history = tuple(_amended(known) if self.hindsight else known)
            self._histories[item] = history
        return history

    def day(self, setting: Setting) -> int:
        """Day from which a setting holds."""
        return self.days[setting.chunk] - setting.ago

    def on_day(self, item: Item, day: int) -> tuple[Setting, ...]:
        """Settings up to a day, oldest first; the last one is in force."""
        return tuple(setting for setting in self.history(item) if self.day(setting) <= day)

    def holders(self, attribute: str) -> dict[str, tuple[Setting, ...]]:
        """By person, the history of an attribute. To be read, not changed."""
        if attribute not in self._holders:
            about = (item for item in self.world.histories if item[1] == attribute)
            found = ((item[0], self.history(item)) for item in about)
            self._holders[attribute] = {person: history for person, history in found if history}
        return self._holders[attribute]

    def in_order(self, attribute: str) -> bool:
        """Whether the days let every item of an attribute be set in the order of telling."""
        if attribute not in self._in_order:
            self._in_order[attribute] = all(
                self.day(one) < self.day(other)
                for history in self.holders(attribute).values()
                for one, other in pairwise(history)
            )
        return self._in_order[attribute]

    @cached_property
    def ties(self) -> tuple[Tie, ...]:
        """Roles that were stated."""
        return tuple(tie for tie in self.world.ties if tie.chunk <= self.upto)

    def trade(self, person: str) -> tuple[str, int] | None:
        """A person's trade and the act that states it."""
        known = self.world.trades.get(person)
        return None if known is None or known[1].chunk > self.upto else (known[0], known[1].number)

    @cached_property
    def unreal(self) -> dict[Item, list[str]]:
        """By item, values that were only wished for, rumoured or denied, oldest first."""
        found: dict[Item, list[str]] = {}
        for act in self.world.acts:
            if act.kind in ("ask", "rumour", "denial") and act.chunk <= self.upto:
                assert act.attribute is not None
                found.setdefault((act.person, act.attribute.key), []).append(act.value)
        return found

    @cached_property
    def lines(self) -> tuple[tuple[int, tuple[str, ...], tuple[int, ...]], ...]:
        """The line after every change of it: (chunk, people from the front, acts)."""
        return tuple(line for line in self.world.line if line[0] <= self.upto)


def _amended(known: Sequence[Setting]) -> list[Setting]:
    kept: list[Setting] = []
    for setting in known:
        if setting.correction and kept:
            kept[-1] = replace(kept[-1], value=setting.value)
        else:
            kept.append(setting)
    return kept


def days_without_metadata(world: World, upto: int, least: int, most: int) -> list[tuple[int, ...]]:
    """Days that the text allows where it does not tell them: early up to some chunk, then late.

    Args:
        world: whose headers tell some of its days.
        upto: last chunk that was read.
        least: first day that any chunk may bear.
        most: last one.
    """
    known: list[int | None] = []
    read = slice(upto + 1)
    for day, header in zip(world.days[read], world.headers[read], strict=True):
        known.append(None if header == "none" else day)
    early, late = list[int](), list[int]()
    for told in known:
        early.append(told if told is not None else (early[-1] + 1 if early else least))
    for told in reversed(known):
        late.append(told if told is not None else (late[-1] - 1 if late else most))
    late.reverse()
    if None not in known:
        return []
    # At most 16 places where the jump from early to late can be: enough, and quick.
    step = max(1, len(known) // 16)
    return [tuple(early[:at] + late[at:]) for at in range(0, len(known) + 1, step)]
