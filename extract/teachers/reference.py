"""The reference of the self-test: one document alone, through the model's own forward.

Nothing of the real path is used: no hooks, no packing, no padding, no cut; the states are those
that `output_hidden_states` names. In float32, too, whatever the precision of the weights.

Axis letters: T tokens, D hidden size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...common.errors import LatentcompError, TeacherError
from ...models.files import one_line
from ...store.format.schema import ModelIdentity

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Reference = dict[int, torch.Tensor]
"""States [T, D] of one document in float32 on the CPU, by their place in the model's own list;
the last is after the final norm."""


@torch.inference_mode()
def reference_states(
    model: "PreTrainedModel", identity: ModelIdentity, token_ids: Sequence[int], blocks: int
) -> tuple[torch.Tensor, ...]:
    """The model's own list of hidden states for one document, [T, D] each, on its device.

    Args:
        model: with or without its head.
        identity: of the whole model, for messages.
        token_ids: of the document.
        blocks: that the model has now; it may have been cut.

    Raises:
        TeacherError: its own forward fails, or the list is not of embeddings and blocks.
    """
    name = f"model {identity.name!r} ({identity.architecture})"
    ids = torch.tensor([list(token_ids)], device=model.device)
    with plain_failures(identity, "on one document alone"):
        given = model.base_model(input_ids=ids, use_cache=False, output_hidden_states=True)
    states = getattr(given, "hidden_states", None)
    if not states or len(states) != blocks + 1:
        raise TeacherError(
            f"{name}: its list of hidden states has {len(states or ())} entries where embeddings "
            f"and {blocks} blocks make {blocks + 1}, so `-k` would name another state; give "
            "another teacher"
        )
    shape = (1, len(token_ids), identity.hidden_size)
    for place, state in enumerate(states):
        if tuple(state.shape) != shape:
            raise TeacherError(
                f"{name}: its hidden state {place} has the shape {list(state.shape)}, not "
                f"{list(shape)}: not one vector a token; give another teacher"
            )
    return tuple(state[0] for state in states)


def keep(states: Sequence[torch.Tensor], places: Sequence[int]) -> Reference:
    """Some entries of a list of hidden states."""
    return {place: states[place].float().cpu() for place in places}


@contextmanager
def plain_failures(identity: ModelIdentity, where: str) -> Iterator[None]:
    """Within it, whatever the code of a model raises becomes one line.

    Out of memory stays what it is. Raises: TeacherError.
    """
    try:
        yield
    except (LatentcompError, torch.OutOfMemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # the code of several hundred classes
        raise TeacherError(
            f"model {identity.name!r} ({identity.architecture}) cannot be read: its own code fails "
            f"{where} ({type(error).__name__}: {one_line(error)}); give another teacher"
        ) from error


@contextmanager
def in_float32(model: nn.Module, blocks: nn.ModuleList) -> Iterator[None]:
    """Within it the model computes in float32, with a single block in float32 at a time.

    A model of 30B parameters in bfloat16 has no room for all of its weights in float32. The
    weights themselves come back as they were.
    """
    within = {id(tensor) for block in blocks for tensor in _floats(block)}
    outside = [tensor for tensor in _floats(model) if id(tensor) not in within]
    kept: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def widen(block: nn.Module, *_: Any) -> None:  # noqa: ANN401
        kept[block] = _widened(list(_floats(block)))

    def narrow(block: nn.Module, *_: Any) -> None:  # noqa: ANN401
        _restore(kept.pop(block, []))

    handles = [block.register_forward_pre_hook(widen) for block in blocks]
    handles += [block.register_forward_hook(narrow, always_call=True) for block in blocks]
    rest = _widened(outside)
    tf32 = torch.backends.cudnn.allow_tf32  # on for convolutions unless it is switched off
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        for handle in handles:
            handle.remove()
        for block in list(kept):
            narrow(block)
        _restore(rest)


def _floats(module: nn.Module) -> Iterator[torch.Tensor]:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            yield tensor


def _widened(tensors: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Give tensors their values in float32; returns those that they had."""
    before = []
    for tensor in tensors:
        if tensor.dtype in (torch.bfloat16, torch.float16):
            before.append((tensor, tensor.data))
            tensor.data = tensor.data.float()
    return before


def _restore(before: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for tensor, data in before:
        tensor.data = data
