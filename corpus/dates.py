"""Days of chunks: whole numbers, or ISO dates, which become whole numbers.

A compressor is told the digits of a day, so days are 0 .. 99,999. Dates count from 1 January 1900,
which keeps all dates to October 2173 within that range.
"""

from datetime import date, timedelta
from typing import Final

FIRST_DATE: Final = date(1900, 1, 1)
"""Day 0 of a corpus whose days are dates."""
MOST_DAY: Final = 99_999
"""Largest day that keeps its own digits."""
LAST_DATE: Final = FIRST_DATE + timedelta(days=MOST_DAY)


def day_of(value: object) -> int:
    """The day that a user wrote.

    Raises:
        ValueError: neither a day nor a date, or out of range; says in plain words what is wanted.
    """
    if isinstance(value, str):
        return _from_iso(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError('it should be a whole number or a date such as "2026-11-28"')
    if not 0 <= value <= MOST_DAY:
        raise ValueError(
            f"days go from 0 to {MOST_DAY:,}; write a date as {_suggested(value)}, or count from "
            "a day of your own"
        )
    return value


def date_of(day: int) -> date | None:
    """The date that a day is where days are dates; None beyond the calendar."""
    return FIRST_DATE + timedelta(days=day) if 0 <= day <= MOST_DAY else None


def _from_iso(text: str) -> int:
    try:
        day = (date.fromisoformat(text) - FIRST_DATE).days
    except ValueError:
        raise ValueError('it should be a whole number or a date such as "2026-11-28"') from None
    if not 0 <= day <= MOST_DAY:
        raise ValueError(
            f"dates go from {FIRST_DATE} to {LAST_DATE}; count days from a day of your own instead"
        )
    return day


def _suggested(value: int) -> str:
    """How the date is written that a number like 20261128 seems to be."""
    try:
        return f'"{date.fromisoformat(str(value))}"'
    except ValueError:
        return '"2026-11-28"'
