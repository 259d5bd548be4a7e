"""Reading with adapters: within a context, what enters each block passes through them first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..models.loading import CausalLM
from .body import blocks_of
from .prefix import Prefix


@contextmanager
def adapted(lm: CausalLM, adapters: nn.Module | None) -> Iterator[None]:
    """Within it, passes through the model's blocks are changed; with None nothing happens.

    The hooks stand outside of compiled forwards, and before hooks that are registered within this
    context.

    Args:
        lm: the reasoner.
        adapters: takes what enters a block, and its number from 0.

    Raises:
        TeacherError: its blocks are not found.
    """
    handles = [] if adapters is None else _hooked(blocks_of(lm), adapters)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def adapters_of(prefixes: Sequence[Prefix]) -> nn.Module | None:
    """The adapters that all prefixes of a batch are read with.

    Raises:
        ValueError: they are not the same for all.
    """
    first = prefixes[0].adapters if prefixes else None
    if any(prefix.adapters is not first for prefix in prefixes):
        raise ValueError("prefixes of one batch are read with different adapters")
    return first


def _hooked(blocks: nn.ModuleList, adapters: nn.Module) -> list[Any]:
    def change(number: int) -> Any:  # noqa: ANN401 - torch's hook type is a union of callables
        def hook(
            _block: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
            if args:
                return (adapters(args[0], number), *args[1:]), kwargs
            return args, kwargs | {"hidden_states": adapters(kwargs["hidden_states"], number)}

        return hook

    return [
        block.register_forward_pre_hook(change(number), with_kwargs=True)
        for number, block in enumerate(blocks)
    ]
