"""The teacher in plain transformers: hooks on the blocks that are needed, nothing deeper runs.

Axis letters: B documents of the batch, T tokens of the longest one, L layers, D hidden size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from ...errors import TeacherError
from ...models import CausalLM
from ...store.schema import LayerRecord, TeacherIdentity

_BLOCK_LISTS = ("layers", "h", "blocks")


class TransformersTeacher:
    """Reads documents with a Hugging Face causal language model.

    Own forward hooks rather than `output_hidden_states`: that option keeps every layer, and
    its list form counts blocks differently from one version of transformers to the next.
    """

    def __init__(self, lm: CausalLM) -> None:
        """Read with `lm`, on the device and in the precision that it was loaded with.

        Raises:
            TeacherError: the blocks of this architecture cannot be found.
        """
        self._identity = lm.identity
        # The base model: its output is the last state, without the logits over the vocabulary.
        self._base = lm.model.base_model
        self._blocks = _blocks_of(lm)
        self._device = lm.device

    @property
    def identity(self) -> TeacherIdentity:
        """Which model this is."""
        return self._identity

    @torch.inference_mode()
    def states(
        self, documents: Sequence[Sequence[int]], layers: Sequence[LayerRecord]
    ) -> list[torch.Tensor]:
        """Hidden states of each document, [tokens, layers, hidden] on the CPU.

        Raises:
            TeacherError: the batch does not fit into the memory of the device.
        """
        lengths = [len(document) for document in documents]
        if not layers or not lengths or min(lengths) == 0:
            raise ValueError("a batch needs layers, and documents of at least one token")
        try:
            h_BTLD = torch.stack(self._read(self._padded(documents), layers), dim=2).cpu()
        except torch.OutOfMemoryError as error:
            raise TeacherError(
                f"a batch of {len(lengths)} x {max(lengths):,} tokens does not fit into the "
                f"memory of {self._device}; give a smaller --batch-tokens"
            ) from error
        return [h_BTLD[row, :length] for row, length in enumerate(lengths)]

    def read_padded(
        self, token_ids_BT: torch.Tensor, layers: Sequence[LayerRecord]
    ) -> torch.Tensor:
        """States [B, T, L, D] of right-padded documents, left on the device.

        For training with the teacher in the loop. Call it under `torch.no_grad()` rather than
        inference mode: what trains on the states has to keep them for its backward pass.
        """
        return torch.stack(self._read(token_ids_BT, layers), dim=2)

    def _padded(self, documents: Sequence[Sequence[int]]) -> torch.Tensor:
        """Token ids [B, T], padded on the right with token 0, which nothing ever sees."""
        rows = [torch.tensor(document) for document in documents]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self._device)

    def _read(
        self, token_ids_BT: torch.Tensor, layers: Sequence[LayerRecord]
    ) -> list[torch.Tensor]:
        """One [B, T, D] tensor a layer.

        Every block is causal and the padding is on the right, so no token of a document sees
        it and no mask is passed: with one, attention would leave the fast causal kernels and
        build a B x T x T mask.
        """
        depths = {layer.blocks_completed for layer in layers if not layer.post_norm}
        to_the_end = any(layer.post_norm for layer in layers)
        with (
            _captured(self._blocks, depths, stop=not to_the_end) as after,
            suppress(_DeepestReached),
        ):
            final = self._base(input_ids=token_ids_BT, use_cache=False).last_hidden_state
        return [final if layer.post_norm else after[layer.blocks_completed] for layer in layers]


class _DeepestReached(Exception):
    """Leaves the forward pass once every wanted state is there."""


@contextmanager
def _captured(
    blocks: nn.ModuleList, depths: set[int], *, stop: bool
) -> Iterator[dict[int, torch.Tensor]]:
    """Within it, a forward pass leaves the state after each of `depths` blocks in the dict.

    With `stop` the pass ends at the deepest one by raising `_DeepestReached`: an exception
    leaves the model as it is, for the stages that share it, where cutting its list of blocks
    would not.
    """
    after: dict[int, torch.Tensor] = {}

    def keep(depth: int, state: torch.Tensor) -> None:
        after[depth] = state
        if stop and depth == max(depths):
            raise _DeepestReached

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


def _blocks_of(lm: CausalLM) -> nn.ModuleList:
    """The list of decoder blocks, which families of models name differently."""
    base = lm.model.base_model
    for name in _BLOCK_LISTS:
        blocks = getattr(base, name, None)
        if isinstance(blocks, nn.ModuleList) and len(blocks) == lm.identity.blocks:
            return blocks
    raise TeacherError(
        f"model {lm.identity.name!r} ({lm.identity.architecture}): its list of "
        f"{lm.identity.blocks} blocks was not found under {', '.join(_BLOCK_LISTS)}; "
        "use a decoder-only model"
    )
