"""Check 2: two models tokenize text identically."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..common.errors import TeacherError
from ..models.cached import how_to_get
from ..models.files import ModelFiles, one_line, read_json
from ..models.local import find_local
from ..models.plain_text import change_of_text
from .findings import Finding
from .probe import probe_texts
from .settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SHOWN = 20
_ROLES = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer with its special tokens."""

    name: str
    tokenizer: "Tokenizer"
    roles: Mapping[str, str] = field(default_factory=dict)
    """Special tokens by role, such as `eos_token`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One token whose ids differ."""

    token: str
    first: int | None
    """Its id in the first tokenizer; None if it has no such token."""
    second: int | None
    special: bool
    """Whether it is an added token of either."""

    def __str__(self) -> str:
        ids = (self.first, self.second)
        return f"{self.token} ({' / '.join('-' if i is None else str(i) for i in ids)})"


@dataclass(frozen=True, slots=True)
class TokenizerComparison:
    """Differences between two tokenizers."""

    texts: int
    differing_texts: tuple[str, ...]
    """Texts with different ids."""
    tokens: tuple[Difference, ...]
    """Tokens that only one has, or that have different ids; special ones first."""
    roles: Mapping[str, tuple[str | None, str | None]]
    """Roles with different tokens. Reported only: the ids of texts agree all the same."""

    @property
    def agree(self) -> bool:
        """Whether every text has the same ids and every token is shared."""
        return not self.differing_texts and not self.tokens


def compare(first: Vocabulary, second: Vocabulary, texts: Sequence[str]) -> TokenizerComparison:
    """Compare all tokens, and the ids of the texts."""
    return TokenizerComparison(
        texts=len(texts),
        differing_texts=tuple(text for text in texts if _ids(first, text) != _ids(second, text)),
        tokens=_differing_tokens(first.tokenizer, second.tokenizer),
        roles={
            role: (first.roles.get(role), second.roles.get(role))
            for role in _ROLES
            if first.roles.get(role) != second.roles.get(role)
        },
    )


def check_tokenizers(settings: Settings) -> Finding:
    """Compare the tokenizers of the two models, where both are on this machine."""
    files = {name: find_local(name, "tokenizer.json") for name in settings.tokenizers}
    missing = [name for name in settings.tokenizers if files[name] is None]
    if missing:
        return Finding(
            status="unknown",
            observed=f"the tokenizer of {' and '.join(missing)} is not on this machine",
            next_step="; ".join(
                how_to_get(name, "tokenizer.json", "tokenizer_config.json") for name in missing
            ),
        )
    try:
        first, second = (_load(files[name]) for name in settings.tokenizers)
        texts = probe_texts(settings.corpus)
    except TeacherError as error:
        return Finding(status="failed", observed=str(error), next_step="download it again")
    for one in (first, second):
        for text in texts:
            if change := change_of_text(one.tokenizer, text, _ids(one, text)):
                return Finding(
                    status="failed",
                    observed=f"the tokenizer of {one.name} does not keep text: {change[0]!r} is "
                    f"read as {change[1]!r}",
                    next_step="give a model whose tokenizer does; documents like it are refused",
                )
    return judge(first, second, compare(first, second, texts))


def judge(first: Vocabulary, second: Vocabulary, comparison: TokenizerComparison) -> Finding:
    """The finding for a comparison."""
    pair = f"{first.name} and {second.name}"
    details: dict[str, Any] = {
        "texts": comparison.texts,
        "differing_texts": [text[:200] for text in comparison.differing_texts[:_SHOWN]],
        "differing_tokens": [
            {"token": one.token, "ids": [one.first, one.second], "special": one.special}
            for one in comparison.tokens
        ],
        "roles": {role: list(names) for role, names in comparison.roles.items()},
    }
    same = comparison.texts - len(comparison.differing_texts)
    summary = f"{pair}: the same ids for {same} of {comparison.texts} texts"
    if comparison.agree:
        return Finding(status="ok", observed=f"{summary}, the same tokens", details=details)
    if comparison.tokens:
        shown = ", ".join(str(one) for one in comparison.tokens[:_SHOWN])
        more = len(comparison.tokens) - _SHOWN
        summary += f"; {len(comparison.tokens)} tokens differ: {shown}"
        summary += f" and {more} more" if more > 0 else ""
    step = (
        "keep these strings out of documents and questions: all other text is cut alike"
        if not comparison.differing_texts
        else "give the reasoner text, never the teacher's token ids"
    )
    return Finding(status="failed", observed=summary, next_step=step, details=details)


def _differing_tokens(first: "Tokenizer", second: "Tokenizer") -> tuple[Difference, ...]:
    one, two = first.get_vocab(with_added_tokens=True), second.get_vocab(with_added_tokens=True)
    added = {
        str(token.content)
        for tokenizer in (first, second)
        for token in tokenizer.get_added_tokens_decoder().values()
    }
    differing = [
        Difference(token, one.get(token), two.get(token), token in added)
        for token in one.keys() | two.keys()
        if one.get(token) != two.get(token)
    ]
    return tuple(sorted(differing, key=_order))


def _order(difference: Difference) -> tuple[bool, int, str]:
    known = difference.first if difference.first is not None else difference.second
    return (not difference.special, known or 0, difference.token)


def _ids(vocabulary: Vocabulary, text: str) -> list[int]:
    return list(vocabulary.tokenizer.encode(text, add_special_tokens=False).ids)


def _load(files: ModelFiles | None) -> Vocabulary:
    from tokenizers import Tokenizer

    assert files is not None
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    except TeacherError:
        raise
    except Exception as error:  # the library raises bare Exception on bad files
        raise TeacherError(f"{files.tokenizer} cannot be used ({one_line(error)})") from error
    config = files.folder / "tokenizer_config.json"
    roles = read_json(config) if config.is_file() else {}
    named = {role: _content(roles.get(role)) for role in _ROLES}
    return Vocabulary(files.name, tokenizer, {role: name for role, name in named.items() if name})


def _content(token: Any) -> str | None:  # noqa: ANN401  a string or a description of a token
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None
