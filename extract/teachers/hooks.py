"""Forward hooks that capture states; the forward pass ends after the deepest one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...common.errors import TeacherError
from ...models.blocks import find_blocks, no_blocks
from ...store.format.schema import ModelIdentity


class DeepestReached(Exception):
    """Ends the forward pass once every requested state is captured."""


@contextmanager
def captured(
    blocks: nn.ModuleList, depths: set[int], *, stop: bool
) -> Iterator[dict[int, torch.Tensor]]:
    """Context in which forward passes store the state after each of `depths` blocks in the dict.

    With `stop` the pass ends at the deepest one by raising `DeepestReached`. An exception leaves
    the model unchanged for its other users; removing blocks from its list would not.
    """
    after: dict[int, torch.Tensor] = {}

    def keep(depth: int, state: torch.Tensor) -> None:
        after[depth] = state
        if stop and depth == max(depths):
            raise DeepestReached

    def before_first(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(0, args[0] if args else kwargs["hidden_states"])

    def behind(depth: int) -> Any:  # noqa: ANN401 - torch's hook type is a union of callables
        def hook(_block: nn.Module, _args: tuple[Any, ...], output: Any) -> None:  # noqa: ANN401
            keep(depth, output[0] if isinstance(output, tuple) else output)

        return hook

    handles = [
        blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)
        if depth == 0
        else blocks[depth - 1].register_forward_hook(behind(depth))
        for depth in depths
    ]
    try:
        yield after
    finally:
        for handle in handles:
            handle.remove()


def blocks_of(model: nn.Module, identity: ModelIdentity) -> nn.ModuleList:
    """The list of decoder blocks, whose attribute name depends on the architecture.

    A model that was truncated at loading has fewer blocks than its identity.

    Raises:
        TeacherError: there is no such list, or it has more blocks than the config.
    """
    blocks = find_blocks(model, identity.blocks)
    if blocks is None:
        raise TeacherError(no_blocks(f"{identity.name} ({identity.architecture})", identity.blocks))
    return blocks
