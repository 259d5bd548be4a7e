"""Notes read into the ledger of the independent solver: what somebody knows who has them alone."""

import re
from collections.abc import Iterable

from latentcomp.corpus.chronicle4.ledger import Entry, Ledger
from latentcomp.corpus.chronicle4.solver_words import ASKED, ROLE_NOUNS
from latentcomp.corpus.chronicle4.solving import Readings, Solution, solve


def ledger_of(notes: Iterable[str], last_day: int) -> Ledger:
    """What notes say.

    Args:
        notes: each in shorthand, such as `Karo room 482 day 17`.
        last_day: day of the last chunk that was read.
    """
    ledger = Ledger((last_day,))
    for note in notes:
        if note.startswith("queue "):
            ledger.lines.append((tuple(note.split()[1:]), ()))
        elif match := re.fullmatch(r"(\w+) (\w+) of (\w+)", note):
            role, side = ROLE_NOUNS[match[2]]
            assert side == "agent"
            ledger.ties.append((role, match[1], match[3], ()))
        elif match := re.fullmatch(r"(\w+) (\w+) (\w+) day ([0-9]+)", note):
            entry = Entry(match[3], 0, last_day - int(match[4]), (), ())
            assert (match[1], ASKED[match[2]]) not in ledger.entries, "one note an item"
            ledger.entries[match[1], ASKED[match[2]]] = [entry]
        else:
            person, trade = note.split()
            ledger.trades[person] = (trade, ())
    return ledger


def from_notes(notes: Iterable[str], last_day: int, question: str) -> Solution:
    """The solver's answer to a question from notes alone."""
    ledger = ledger_of(notes, last_day)
    return solve(Readings(ledger, ledger, ()), question)
