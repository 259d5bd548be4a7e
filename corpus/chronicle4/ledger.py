"""What holds when, according to the statements of a text: the second half of the solver."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .problems import problem
from .reading import ROLES, Place, Statement


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody comes to have a value."""

    value: str
    chunk: int
    ago: int
    said: tuple[Place, ...]
    """The sentence and those that say who is meant."""
    known: tuple[Place, ...]
    """Those that it takes to know the value, `said` included."""
    put_right: bool = False


@dataclass(slots=True)
class Ledger:
    """Everything that a text says, in one reading of corrections."""

    days: tuple[int, ...]
    entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    """By (person, topic), oldest first."""
    ties: list[tuple[str, str, str, tuple[Place, ...]]] = field(default_factory=list)
    """(role, agent, patient, sentences)"""
    trades: dict[str, tuple[str, tuple[Place, ...]]] = field(default_factory=dict)
    """By person."""
    lines: list[tuple[tuple[str, ...], tuple[Place, ...]]] = field(default_factory=list)

    def day(self, entry: Entry) -> int:
        """Day from which an entry holds."""
        return self.days[entry.chunk] - entry.ago

    def history(self, person: str, topic: str) -> list[Entry]:
        """What a person had of a topic, oldest first."""
        return self.entries.get((person, topic), [])

    def people_with(self, topic: str) -> list[str]:
        """People of whom the topic is known."""
        return [person for person, other in self.entries if other == topic]

    def in_hindsight(self) -> "Ledger":
        """The other reading of corrections: what was put right had never been so."""
        amended = {key: _amended(history) for key, history in self.entries.items()}
        return replace(self, entries=amended)

    def on_other_days(self, days: Sequence[int]) -> "Ledger":
        """The same statements under other days of the chunks."""
        return replace(self, days=tuple(days))


def _amended(history: Sequence[Entry]) -> list[Entry]:
    kept: list[Entry] = []
    for entry in history:
        if entry.put_right and kept:
            kept[-1] = replace(kept[-1], value=entry.value)
        else:
            kept.append(entry)
    return kept


def keep(days: Sequence[int], statements: Sequence[Statement]) -> Ledger:
    """Put the statements of a document together.

    Raises:
        CorpusError: they contradict each other: an old value that was not had, something that is
            still so and was not, a rumour that is true, a wish granted that nobody had, days of one
            topic out of order, or a value used by others before it is told late.
    """
    book = _Book(Ledger(tuple(days)))
    for statement in statements:
        book.enter(statement)
    book.refuse_true_rumours(statements)
    return book.ledger


class _Book:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.wishes: dict[tuple[str, str], list[Statement]] = {}
        self.seen: dict[tuple[str, str], int] = {}

    def enter(self, it: Statement) -> None:
        """Take one statement into account."""
        said = (it.place, *it.needs)
        if it.kind in ROLES:
            self.ledger.ties.append((it.kind, it.who, it.other, said))
        elif it.kind == "trade":
            self.ledger.trades[it.who] = (it.value, said)
        elif it.kind in ("line", "line_swap", "front", "back"):
            self._line(it, said)
        elif it.kind == "wish":
            self.wishes.setdefault((it.who, it.topic), []).append(it)
        elif it.kind == "refused":
            self._one_wish(it)
        elif it.kind != "untrue":
            self._item(it, said)

    def _item(self, it: Statement, said: tuple[Place, ...]) -> None:
        now = self._now(it.who, it.topic)
        if it.kind == "still" and (now is None or now.value != it.value):
            raise problem(f"{it.place}: still {it.value}, which was not so")
        if it.old and (now is None or now.value != it.old):
            raise problem(f"{it.place}: {it.old} was not had")
        if it.kind in ("still", "set") and now is not None and now.value == it.value:
            if it.ago:
                raise problem(f"{it.place}: had already, and told late")
            self._see(it.who, it.topic, it)
        elif it.kind in ("swap", "share", "takeover"):
            self._between(it, said, now)
        elif it.kind == "granted":
            wish = self._one_wish(it)
            self._put(it, it.who, wish.value, said, (*said, wish.place, *wish.needs))
        elif it.kind == "same":
            before = max(self._all(it.topic), key=lambda entry: entry.said[0])
            self._put(it, it.who, it.value, said, (*said, *before.said))
        else:
            self._put(it, it.who, it.value, said, said)

    def _all(self, topic: str) -> list[Entry]:
        return [e for (_, t), es in self.ledger.entries.items() if t == topic for e in es]

    def _between(self, it: Statement, said: tuple[Place, ...], now: Entry | None) -> None:
        theirs = self._now(it.other, it.topic)
        if now is None or theirs is None or it.who == it.other:
            raise problem(f"{it.place}: nothing to {it.kind}")
        self._see(it.other, it.topic, it)
        self._put(it, it.who, theirs.value, said, (*said, *theirs.known))
        if it.kind == "swap":
            self._put(it, it.other, now.value, said, (*said, *now.known))
        elif it.kind == "takeover":
            self._put(it, it.other, it.value, said, said)

    def _now(self, person: str, topic: str) -> Entry | None:
        history = self.ledger.history(person, topic)
        return history[-1] if history else None

    def _one_wish(self, it: Statement) -> Statement:
        wishes = self.wishes.get((it.who, it.topic), [])
        if len(wishes) != 1 or wishes[0].place.chunk >= it.place.chunk:
            raise problem(f"{it.place}: {len(wishes)} wishes")
        return wishes.pop()

    def _put(
        self,
        it: Statement,
        person: str,
        value: str,
        said: tuple[Place, ...],
        known: tuple[Place, ...],
    ) -> None:
        key = (person, it.topic)
        day = self.ledger.days[it.place.chunk] - it.ago
        # A swap or share sees both on its own day, and settles them on the same day.
        late = it.kind not in ("swap", "share", "takeover", "granted", "correction")
        if late and self.seen.get(key, -1) >= day:
            raise problem(f"{it.place}: of a day on which something else was known")
        before = self._now(*key)
        if before is not None and before.chunk == it.place.chunk:
            raise problem(f"{it.place}: twice within a chunk")
        right = it.kind == "correction"
        entry = Entry(
            value, it.place.chunk, it.ago, said, tuple(sorted(set(known))), put_right=right
        )
        self.ledger.entries.setdefault(key, []).append(entry)
        self.seen[key] = self.ledger.days[it.place.chunk]

    def _see(self, person: str, topic: str, it: Statement) -> None:
        self.seen[person, topic] = self.ledger.days[it.place.chunk]

    def _line(self, it: Statement, said: tuple[Place, ...]) -> None:
        lines = self.ledger.lines
        if (it.kind == "line") == bool(lines):
            raise problem(f"{it.place}: a second line, or none yet")
        if it.kind == "line":
            lines.append((it.people, said))
            return
        people = list(lines[-1][0])
        if it.kind == "line_swap":
            one, other = people.index(it.who), people.index(it.other)
            people[one], people[other] = people[other], people[one]
        else:
            people.remove(it.who)
            people.insert(0 if it.kind == "front" else len(people), it.who)
        lines.append((tuple(people), tuple(sorted({*lines[-1][1], *said}))))

    def refuse_true_rumours(self, statements: Sequence[Statement]) -> None:
        """Raise if something that is said to be untrue is true at any time."""
        for it in statements:
            ever = [entry.value for entry in self.ledger.history(it.who, it.topic)]
            if it.kind == "untrue" and it.value in ever:
                raise problem(f"{it.place}: {it.value} is said to be untrue and is true once")


def days_allowed(told: Sequence[int | tuple[int] | None], low: int, high: int) -> list[list[int]]:
    """Days that a text allows: all early, all late, and early up to each chunk then late.

    Args:
        told: what the text says of each chunk's day.
        low: first day there can be.
        high: last one.
    """
    fixed: list[int | None] = []
    for item in told:
        before = fixed[-1] if fixed else None
        if isinstance(item, tuple):
            fixed.append(None if before is None else before + item[0])
        else:
            fixed.append(item)
    if None not in fixed:
        return []
    early = _earliest(fixed, low)
    late = [-day for day in reversed(_earliest([_minus(d) for d in reversed(fixed)], -high))]
    step = max(1, len(fixed) // 16)
    return [early[:at] + late[at:] for at in range(0, len(fixed) + 1, step)]


def _minus(day: int | None) -> int | None:
    return None if day is None else -day


def _earliest(fixed: Sequence[int | None], low: int) -> list[int]:
    days: list[int] = []
    for day in fixed:
        days.append(day if day is not None else (days[-1] + 1 if days else low))
    return days
