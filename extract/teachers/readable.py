"""Models whose states must not be read as those of a causal model, or not in any batch.

What a config says is looked at here; what only the code of a model shows is found by the
self-test of every extraction (`extract/self_test.py`).
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from ...common.errors import TeacherError
from ...store.format.schema import ModelIdentity

_BIDIRECTIONAL: Final[dict[str, tuple[object, ...]]] = {
    "is_causal": (False,),
    "use_bidirectional_attention": (True, "all"),
}
"""Entries of a config and what they say in a model whose tokens see later ones."""


def refuse_bidirectional(config: Any, identity: ModelIdentity) -> None:  # noqa: ANN401
    """Refuse a model whose tokens see later ones.

    Padding would be read, and the states of a chunk would hold the chunks behind it.

    Raises:
        TeacherError: its config says so; names the entry.
    """
    for part in (config, config.get_text_config()):
        for name, values in _BIDIRECTIONAL.items():
            value = getattr(part, name, None)
            if value in values:
                raise TeacherError(
                    f"model {identity.name!r} ({identity.architecture}): its tokens see those "
                    f"behind them ({name}: {json.dumps(value)} in config.json), and states must be "
                    "of the text so far; give a causal language model"
                )


def same_side(lengths: Sequence[int], switches: Sequence[int]) -> list[tuple[int, ...]]:
    """Places of documents that may share a forward pass: no switch lies between their lengths.

    Args:
        lengths: tokens of each document of a batch.
        switches: lengths above which all documents of a pass are read in another way.
    """
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(sum(length > switch for switch in switches), []).append(index)
    return [tuple(indices) for indices in groups.values()]
