"""What a world is made of: who there is, what is stated in which chunk, and what holds when.

Semantics, in full:

- An *item* is one attribute of one person (the room of Karo). From when it is first stated the
  person has exactly one of it; whatever is stated later as had replaces what was had before.
- The *day* of a statement is that of its chunk, or `ago` days earlier where the sentence says so.
  Days of one item's settings strictly ascend, and so does everything that refers to them.
- A value can come about without being written: two people swap, one takes over or shares what
  another has, a wish that was stated earlier is granted. Unfulfilled and refused wishes,
  rumours and denials change nothing.
- A correction says that the value before it was wrong, so a reader may hold that it was never in
  force; questions whose answer would depend on that reading are not asked.
- Roles and trades are stated once and never change. People in line change places.
"""

from dataclasses import dataclass, field
from typing import Literal

from .lexicon import Attribute, ValueForm

Kind = Literal[
    "set",
    "update",
    "same",
    "restate",
    "swap",
    "share",
    "takeover",
    "ask",
    "granted",
    "refused",
    "correction",
    "rumour",
    "denial",
    "role",
    "trade",
    "line",
    "line_swap",
    "line_move",
    "filler",
]
Header = Literal["absolute", "relative", "none"]
"""How a chunk's text tells its day: `Day 34.`, `Three days later.`, or not at all."""


@dataclass(frozen=True, slots=True)
class Act:
    """One sentence's worth of meaning."""

    number: int
    """Unique within the world."""
    chunk: int
    kind: Kind
    person: str = ""
    """Who it is about; a role's agent."""
    attribute: Attribute | None = None
    value: str = ""
    """What is stated to be had; a trade; the end of the line (`front`, `back`) moved to."""
    old: str = ""
    """The value that this one replaces."""
    other: str = ""
    """The second person; a role's patient."""
    ago: int = 0
    """How many days before its chunk it took place."""
    role: str = ""
    people: tuple[str, ...] = ()
    """A line from its front."""
    after: int | None = None
    """The act that must be written directly before this one."""


Item = tuple[str, str]
"""(person, key of an attribute)"""


@dataclass(frozen=True, slots=True)
class Setting:
    """An item gets a value."""

    act: int
    chunk: int
    ago: int
    value: str
    correction: bool = False
    via: tuple[int, ...] = ()
    """Other acts that one has to have read to know the value, ascending."""

    def sources(self) -> tuple[int, ...]:
        """Every act that the value follows from."""
        return (*self.via, self.act)


@dataclass(frozen=True, slots=True)
class Tie:
    """`agent` has a role for `patient`."""

    role: str
    agent: str
    patient: str
    act: int
    chunk: int


@dataclass(slots=True)
class World:
    """Everything that is so in one document."""

    days: tuple[int, ...]
    """Day of every chunk, strictly ascending."""
    headers: tuple[Header, ...]
    people: tuple[str, ...]
    pronouns: dict[str, str]
    """`she` or `he`, by person."""
    forms: tuple[ValueForm, ...]
    items: list[Item]
    acts: list[Act] = field(default_factory=list)
    histories: dict[Item, list[Setting]] = field(default_factory=dict)
    ties: list[Tie] = field(default_factory=list)
    trades: dict[str, tuple[str, Act]] = field(default_factory=dict)
    """By person: the trade and the act that states it."""
    line: list[tuple[int, tuple[str, ...], tuple[int, ...]]] = field(default_factory=list)
    """(chunk, people from the front, acts it follows from) after every change of the line."""

    def day(self, setting: Setting) -> int:
        """Day from which a setting holds."""
        return self.days[setting.chunk] - setting.ago
