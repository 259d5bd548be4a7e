"""How long a text a model can read, and the lengths at which its code computes another thing."""

from typing import Any, Final

_LENGTHS: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
"""Names of the same number in different model families."""

UNLIMITED: Final = 1 << 20
"""Tokens of a document where neither config nor tokenizer gives a limit: models without positions
(linear biases, recurrence)."""

_ROPES_BY_LENGTH: Final = ("longrope", "dynamic", "su")
"""Kinds of rotation whose angles depend on the longest document of a batch."""


def context_tokens(config: Any, tokenizer_limit: int | None) -> int:  # noqa: ANN401
    """Tokens that a model reads at once.

    Args:
        config: of the model, or of its text part.
        tokenizer_limit: `model_max_length` of its tokenizer, which is absurd where it has none.
    """
    for name in _LENGTHS:
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    if tokenizer_limit is not None and 0 < tokenizer_limit < UNLIMITED:
        return tokenizer_limit
    return UNLIMITED


def switch_lengths(config: Any) -> tuple[int, ...]:  # noqa: ANN401
    """Lengths above which *all* documents of a batch are read in another way, ascending.

    Documents on different sides of one must not share a batch: with `longrope` the angles of
    every document depend on whether the longest has more tokens than the model began with.
    """
    lengths = set()
    for rope in _ropes(config):
        if rope.get("rope_type", rope.get("type")) not in _ROPES_BY_LENGTH:
            continue
        value = rope.get("original_max_position_embeddings")
        if value is None:
            value = getattr(config, "original_max_position_embeddings", None)
        if isinstance(value, int | float):
            lengths.add(int(value))
    return tuple(sorted(lengths))


def telling_lengths(config: Any) -> tuple[int, ...]:  # noqa: ANN401
    """Lengths that a document must exceed to be read with all that the model's code can do:
    those of `switch_lengths`, attention windows and chunks; ascending."""
    lengths = set(switch_lengths(config))
    for name in ("sliding_window", "attention_window_size", "window_size", "attention_chunk_size"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            lengths.add(value)
    return tuple(sorted(lengths))


def vocabulary_rows(config: Any) -> int:  # noqa: ANN401
    """Rows of the embeddings: ids from there on have none."""
    return int(config.vocab_size)


def _ropes(config: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The settings of a model's rotation; some have one for each kind of layer."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    if not isinstance(given, dict):
        return []
    nested = [value for value in given.values() if isinstance(value, dict)]
    return nested or [given]
