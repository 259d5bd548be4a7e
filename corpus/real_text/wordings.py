"""Wordings of the questions about real text, by family; at least two each."""

from typing import Final

WORDINGS: Final[dict[str, tuple[str, ...]]] = {
    "released": (
        "On which day was {noun} {label} released?",
        "What is the date of {noun} {label}?",
    ),
    "year": (
        "In which year was {noun} {label} released?",
        "What is the year of {noun} {label}?",
    ),
    "maker": ("Who made {noun} {label}?", "Who signed {noun} {label}?"),
    "urgency": (
        "What was the urgency of {noun} {label}?",
        "How urgent was {noun} {label}?",
    ),
    "after": (
        "Which {noun} came right after {label}?",
        "What is the next {noun} after {label}?",
    ),
    "before": (
        "Which {noun} came right before {label}?",
        "What is the last {noun} before {label}?",
    ),
    "mention": ("Which {noun} names {key}?", "In the notes of which {noun} does {key} stand?"),
    "bug": (
        "Which bug do the notes of {noun} {label} name?",
        "What is the number of the bug in the notes of {noun} {label}?",
    ),
    "latest": ("What is the latest {noun}?", "Which {noun} is the newest?"),
    "latest_maker": ("Who made the latest {noun}?", "Who signed the newest {noun}?"),
    "first_maker": ("Who made the earliest {noun}?", "Who signed the oldest {noun}?"),
    "as_of": (
        "Which {noun} was the latest on {date}?",
        "What was the newest {noun} as of {date}?",
    ),
}
