"""What can be said of people: attributes, roles, trades, and the words for them.

Every attribute has words that statements use and other words that questions use. The two never
meet, so a question shares with the sentence that answers it the name at most.
"""

from dataclasses import dataclass
from typing import Final, Literal

ValueForm = Literal["name", "number", "word", "closed"]
VALUE_FORMS: Final[tuple[ValueForm, ...]] = ("name", "number", "word", "closed")
Form = Literal["name", "number", "word", "closed", "yes_no"]
FORMS: Final[tuple[Form, ...]] = ("name", "number", "word", "closed", "yes_no")
"""What an answer can be: a name, digits, a lower-case word, one of a known list, yes or no."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that a person has exactly one of at a time, from when it is first stated."""

    key: str
    form: ValueForm
    """Name: of a town. Number: 3 to 5 digits. Word: made up. Closed: a colour."""
    said: tuple[str, ...]
    """Nouns of statements."""
    asked: tuple[str, ...]
    """Nouns of questions."""


ATTRIBUTES: Final[tuple[Attribute, ...]] = (
    Attribute("home", "name", ("house", "hut", "cottage"), ("home", "residence", "dwelling")),
    Attribute("work", "name", ("shop", "workshop", "stall"), ("business", "firm", "office")),
    Attribute("prayer", "name", ("temple", "chapel", "shrine"), ("church", "sanctuary", "altar")),
    Attribute("room", "number", ("room", "chamber", "cell"), ("bedroom", "apartment", "flat")),
    Attribute("locker", "number", ("locker", "cabinet", "cupboard"), ("chest", "trunk", "safe")),
    Attribute("ticket", "number", ("ticket", "permit", "badge"), ("card", "licence", "voucher")),
    Attribute("secret", "word", ("password", "watchword"), ("secret", "passphrase")),
    Attribute("motto", "word", ("motto", "slogan", "saying"), ("creed", "maxim", "principle")),
    Attribute("alias", "word", ("nickname", "byname"), ("alias", "moniker")),
    Attribute("coat", "closed", ("coat", "cloak", "cape"), ("mantle", "robe", "overcoat")),
    Attribute("door", "closed", ("door", "gate"), ("entry", "portal")),
    Attribute("flag", "closed", ("flag", "banner", "pennant"), ("ensign", "emblem")),
)
BY_KEY: Final[dict[str, Attribute]] = {attribute.key: attribute for attribute in ATTRIBUTES}
OF_FORM: Final[dict[ValueForm, tuple[Attribute, ...]]] = {
    form: tuple(a for a in ATTRIBUTES if a.form == form) for form in VALUE_FORMS
}

COLOURS: Final = ("red", "blue", "green", "white", "black", "brown", "grey", "pink")


@dataclass(frozen=True, slots=True)
class Role:
    """A relation between two people; nobody has two agents or two patients of one role."""

    key: str
    said: tuple[str, ...]
    """Statement wordings; {P} is the agent, {O} the patient. The first-named is the subject."""
    agent: str
    """What the agent is to the patient, in questions."""
    patient: str
    """What the patient is to the agent, in questions."""


ROLES: Final[tuple[Role, ...]] = (
    Role("teach", ("{P} teaches {O}.", "{O} takes lessons from {P}."), "mentor", "pupil"),
    Role("heal", ("{P} cures {O}.", "{O} is nursed by {P}."), "doctor", "patient"),
    Role("plead", ("{P} speaks in court for {O}.", "{O} is defended by {P}."), "lawyer", "client"),
    Role("pay", ("{P} pays {O}.", "{O} earns wages from {P}."), "employer", "servant"),
    Role("feed", ("{P} cooks for {O}.", "{O} eats meals made by {P}."), "chef", "guest"),
)
ROLE_OF: Final[dict[str, Role]] = {role.key: role for role in ROLES}
ROLE_NOUNS: Final = tuple(noun for role in ROLES for noun in (role.agent, role.patient))

TRADES: Final = (
    "baker",
    "carter",
    "courier",
    "dyer",
    "ferryman",
    "miller",
    "notary",
    "potter",
    "smith",
    "tinker",
    "warden",
    "weaver",
)
PLACES_IN_LINE: Final = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
)
SMALL_NUMBERS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Days ago and days later, in words: `SMALL_NUMBERS[0]` is one day."""

FILLERS: Final = (
    "Rain fell all night.",
    "The market was quiet.",
    "A ship passed in the distance.",
    "The bread was late again.",
    "The wind turned to the north.",
    "Two dogs slept in the square.",
    "The well was cleaned.",
    "A fair was held by the river.",
)


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def plural(noun: str) -> str:
    """Plural of an attribute's noun or a role's."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "ch", "sh")) else "s")


def having(form: ValueForm, noun: str, value: str) -> str:
    """The object of `has`: `a hut in Velu`, `room 482`, `the motto pijobi`, `a red coat`."""
    match form:
        case "name":
            return f"{article(noun)} in {value}"
        case "number":
            return f"{noun} {value}"
        case "word":
            return f"the {noun} {value}"
        case "closed":
            return f"a {value} {noun}"


def being(form: ValueForm, value: str) -> str:
    """What stands after `is`: `in Velu`, `482`, `pijobi`, `red`."""
    return f"in {value}" if form == "name" else value
