"""The words that the solver knows. Written from docs/corpus.md, not taken from the generator."""

from collections.abc import Mapping
from typing import Final

SAID: Final[Mapping[str, str]] = {
    **dict.fromkeys(("house", "hut", "cottage"), "home"),
    **dict.fromkeys(("shop", "workshop", "stall"), "work"),
    **dict.fromkeys(("temple", "chapel", "shrine"), "prayer"),
    **dict.fromkeys(("room", "chamber", "cell"), "room"),
    **dict.fromkeys(("locker", "cabinet", "cupboard"), "locker"),
    **dict.fromkeys(("ticket", "permit", "badge"), "ticket"),
    **dict.fromkeys(("password", "watchword"), "secret"),
    **dict.fromkeys(("motto", "slogan", "saying"), "motto"),
    **dict.fromkeys(("nickname", "byname"), "alias"),
    **dict.fromkeys(("coat", "cloak", "cape"), "coat"),
    **dict.fromkeys(("door", "gate"), "door"),
    **dict.fromkeys(("flag", "banner", "pennant"), "flag"),
}
"""By noun of a statement, what it stands for."""
TRADES: Final = "baker|carter|courier|dyer|ferryman|miller|notary|potter|smith|tinker|warden|weaver"
FILLERS: Final = frozenset(
    {
        "Rain fell all night",
        "The market was quiet",
        "A ship passed in the distance",
        "The bread was late again",
        "The wind turned to the north",
        "Two dogs slept in the square",
        "The well was cleaned",
        "A fair was held by the river",
    }
)
COUNTS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

ASKED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("home", "residence", "dwelling"), "home"),
    **dict.fromkeys(("business", "firm", "office"), "work"),
    **dict.fromkeys(("church", "sanctuary", "altar"), "prayer"),
    **dict.fromkeys(("bedroom", "apartment", "flat"), "room"),
    **dict.fromkeys(("chest", "trunk", "safe"), "locker"),
    **dict.fromkeys(("card", "licence", "voucher"), "ticket"),
    **dict.fromkeys(("secret", "passphrase"), "secret"),
    **dict.fromkeys(("creed", "maxim", "principle"), "motto"),
    **dict.fromkeys(("alias", "moniker"), "alias"),
    **dict.fromkeys(("mantle", "robe", "overcoat"), "coat"),
    **dict.fromkeys(("entry", "portal"), "door"),
    **dict.fromkeys(("ensign", "emblem"), "flag"),
}
"""By noun of a question."""
ROLE_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "mentor": ("teach", "agent"),
    "pupil": ("teach", "patient"),
    "doctor": ("heal", "agent"),
    "patient": ("heal", "patient"),
    "lawyer": ("plead", "agent"),
    "client": ("plead", "patient"),
    "employer": ("pay", "agent"),
    "servant": ("pay", "patient"),
    "chef": ("feed", "agent"),
    "guest": ("feed", "patient"),
}
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
FIRST_WORDS: Final[Mapping[str, str]] = {
    "Where": "name",
    "In which town": "name",
    "What number": "number",
    "Which number": "number",
    "What": "word",
    "Which word": "word",
    "What colour": "closed",
    "Which colour": "closed",
}
FORM_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("home", "work", "prayer"), "name"),
    **dict.fromkeys(("room", "locker", "ticket"), "number"),
    **dict.fromkeys(("secret", "motto", "alias"), "word"),
    **dict.fromkeys(("coat", "door", "flag"), "closed"),
}
