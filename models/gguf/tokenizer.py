"""The byte-level BPE tokenizer of a GGUF file, as `tokenizers` has it.

A file names the way its text is cut before merging (`tokenizer.ggml.pre`); only those of the
table are built, because a wrong one still gives tokens, and other ones.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ...common.errors import TeacherError
from .llama import tokens_of
from .reading import GgufFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL, _USER_DEFINED = 3, 4
"""Values of `tokenizer.ggml.token_type`."""
_ROLES: Final = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}


def _byte_level() -> Any:  # noqa: ANN401  a pre-tokenizer; its base class is not exported
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _digits_alone() -> Any:  # noqa: ANN401
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, _byte_level()])


CUTS: Final[Mapping[str, Callable[[], Any]]] = {"gpt-2": _byte_level, "smollm": _digits_alone}
"""`tokenizer.ggml.pre` -> how text is cut before merging."""


def tokenizer_of(file: GgufFile) -> "Tokenizer":
    """The tokenizer of a file.

    Raises:
        TeacherError: it has none, one of another kind, or a damaged one.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models

    tokens, merges = tokens_of(file), file.fields.get("tokenizer.ggml.merges")
    _check_kind(file)
    if not isinstance(merges, list) or len(set(tokens)) != len(tokens):
        raise TeacherError(f"{file.path}: its tokenizer is damaged or has no merges; get it again")
    vocabulary = {token: number for number, token in enumerate(tokens)}
    try:
        pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    except Exception as error:  # the tokenizers library raises bare Exception
        raise TeacherError(
            f"{file.path}: the merges of its tokenizer are damaged ({error}); get it again"
        ) from error
    tokenizer.pre_tokenizer = CUTS[file.fields["tokenizer.ggml.pre"]]()
    tokenizer.decoder = decoders.ByteLevel()
    kinds = file.fields.get("tokenizer.ggml.token_type") or []
    for token, kind in zip(tokens, kinds, strict=False):
        if kind == _CONTROL:
            tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif kind == _USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=False)])
    return tokenizer


def tokenizer_config(file: GgufFile, context: int) -> dict[str, Any]:
    """The tokenizer_config.json that belongs to it; roles that the file does not give are absent.

    Args:
        file: with the ids of its roles.
        context: tokens that the model reads at once.

    Raises:
        TeacherError: it has no tokenizer, or no token ends a text.
    """
    tokens = tokens_of(file)
    roles = {role: tokens[number] for role, number in token_roles(file).items()}
    if "eos_token" not in roles:
        raise TeacherError(f"{file.path}: its tokenizer ends no text; get a file that says how")
    if isinstance(template := file.fields.get("tokenizer.chat_template"), str):
        roles["chat_template"] = template
    return {
        **roles,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def token_roles(file: GgufFile) -> dict[str, int]:
    """Ids of the tokens that begin, end, pad a text or stand for what is unknown.

    Raises:
        TeacherError: one of them is no token of the file.
    """
    roles, count = {}, len(tokens_of(file))
    for role, key in _ROLES.items():
        number = file.fields.get(key)
        if number is None:
            continue
        if not isinstance(number, int) or not 0 <= number < count:
            raise TeacherError(
                f"{file.path}: {key} is {number!r}, and there are {count:,} tokens; get it again"
            )
        roles[role] = number
    return roles


def _check_kind(file: GgufFile) -> None:
    kind, cut = (file.fields.get(f"tokenizer.ggml.{key}") for key in ("model", "pre"))
    if kind != "gpt2" or cut not in CUTS:
        raise TeacherError(
            f"{file.path}: its tokenizer is {kind!r} cut as {cut!r}, and only 'gpt2' cut as "
            f"{' or '.join(map(repr, CUTS))} is converted; give a folder of transformers"
        )
