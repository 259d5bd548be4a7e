"""The frozen reasoner: it reads vectors in place of a document and answers questions about them.

Shapes: B = documents, C = context positions, S = question positions, R = width, V = vocabulary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..compressor.model import Compressed
from ..models.loading import CausalLM
from ..models.segments import CONTEXT, PADDING, attention_mask
from .adapted import adapted
from .attention import check_attention, context_attention, entering
from .body import blocks_of, final_norm_of
from .logits import logits_of
from .packing import PackedQuestions

SEQUENCE_STEP = 64
"""Whole sequences are padded to multiples of this, so that few shapes are compiled."""


@dataclass(frozen=True, slots=True)
class Context:
    """What stands in place of the document, the prompt's head included."""

    x_BCR: Tensor
    mask_BC: Tensor
    """bool: real, not padding."""
    position_BC: Tensor
    """int64, rotary."""
    after_B: Tensor
    """int64: position at which questions begin."""
    adapters: nn.Module | None = None
    """What it is read with; None: the model is frozen."""


@dataclass(frozen=True, slots=True)
class ReaderOutput:
    """What the reasoner made of the questions."""

    logits_NV: Tensor
    """float32: one row for each answer token, in the order of `PackedQuestions.answer_BS`."""
    targets_N: Tensor
    """int64: the answer tokens."""
    states: dict[int, Tensor]
    """blocks completed -> hidden states of the question positions [B, S, R], for `keep` only."""
    attention: dict[int, Tensor] = field(default_factory=dict)
    """blocks completed -> weights from each answer token to the context [N, C], for `attend`."""


class FrozenReasoner:
    """A causal LM none of whose weights ever changes."""

    def __init__(
        self, lm: CausalLM, *, compile_blocks: bool = False, compute_again: bool = False
    ) -> None:
        """Freeze a model.

        Args:
            lm: the model.
            compile_blocks: for a GPU.
            compute_again: keep of each block only what enters it, and compute the rest a second
                time in the backward pass; the same bits in less memory.
        """
        self.lm = lm
        self._body: nn.Module = lm.model.base_model
        self._table: nn.Module = lm.model.get_input_embeddings()
        lm.model.requires_grad_(False)
        self.head_ids = lm.encode(lm.prompt.head)
        self._padding = self.embedding_rms()
        if compile_blocks:
            # Lengths, with and without gradients, with and without a mask: more than the default
            # of 8 variants, beyond which torch falls back to uncompiled code.
            torch._dynamo.config.recompile_limit = 64
            for block in self.blocks:
                # The forward alone, not the call: hooks must stay outside of the graph.
                block.forward = _compiled(block.forward)
        if compute_again:
            for block in self.blocks:
                block.forward = partial(
                    checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False
                )

    @property
    def _weight(self) -> Tensor:
        weight: Tensor = self._table.weight  # type: ignore[assignment]
        return weight

    @property
    def width(self) -> int:
        """R."""
        return self._weight.shape[1]

    @property
    def vocabulary(self) -> int:
        """V, rows of the input embeddings."""
        return self._weight.shape[0]

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer blocks, first to last."""
        return blocks_of(self.lm)

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.lm.device

    def embedding_rms(self) -> float:
        """Root mean square of one number of the input embeddings."""
        return float(self._weight.float().square().mean().sqrt())

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [...] to input embeddings [..., R]."""
        return self._table(ids)  # type: ignore[no-any-return]

    def latent_context(self, compressed: Compressed) -> Context:
        """The prompt's head, then the vectors of each document."""
        x_BKR, mask_BK = compressed.x_BKR, compressed.mask_BK
        documents = len(x_BKR)
        head = torch.tensor(self.head_ids, dtype=torch.int64, device=x_BKR.device)
        x_head = self.embed(head).expand(documents, -1, -1).to(x_BKR.dtype)
        mask = torch.cat([mask_BK.new_ones(documents, len(head)), mask_BK], 1)
        position, after = (mask.cumsum(1) - 1).clamp(min=0), mask.sum(1)
        if compressed.position_BK is not None and compressed.after_B is not None:
            position = torch.cat([position[:, : len(head)], compressed.position_BK], 1)
            after = compressed.after_B
        x = torch.cat([x_head, x_BKR], 1)
        return Context(x, mask, position, after, compressed.adapters)

    def document_context(self, ids_BT: Tensor, mask_BT: Tensor) -> Context:
        """The whole document, head included, as the ceiling reads it."""
        position = (mask_BT.cumsum(1) - 1).clamp(min=0)
        return Context(self.embed(ids_BT), mask_BT, position, mask_BT.sum(1))

    def read(
        self,
        context: Context,
        questions: PackedQuestions,
        keep: tuple[int, ...] = (),
        attend: tuple[int, ...] = (),
    ) -> ReaderOutput:
        """Ask every question right after the context, each on its own.

        Args:
            context: what stands for the documents.
            questions: of the same documents.
            keep: depths (blocks completed) whose states of the question positions are returned.
            attend: depths whose attention from answers to the context is returned.

        Raises:
            TeacherError: the attention of this architecture cannot be looked into.
        """
        if attend:
            check_attention(self.blocks, self.lm.identity.name)
        x, segment, position = self._assembled(context, questions)
        if self._weight.dtype != torch.float32:  # of half the precision: no autocast does this
            x = x.to(self._weight.dtype)
        with (
            adapted(self.lm, context.adapters),
            _kept(self.blocks, keep) as states,
            entering(self.blocks, attend) as inputs,
        ):
            hidden = self._body(
                inputs_embeds=x,
                attention_mask=attention_mask(segment, _mask_dtype(x)),
                position_ids=position,
                use_cache=False,
            ).last_hidden_state
        start = context.x_BCR.shape[1]
        stop = start + questions.ids_BS.shape[1]
        before = hidden[:, start - 1 : stop - 1]  # the state one place before predicts a token
        logits = logits_of(self.lm, before[questions.answer_BS])
        kept = {depth: state[:, start:stop] for depth, state in states.items()}
        attention = {
            depth: context_attention(
                self.blocks[depth - 1], entered, context.mask_BC, questions.answer_BS
            )
            for depth, entered in inputs.items()
        }
        targets = questions.ids_BS[questions.answer_BS]
        return ReaderOutput(logits.float(), targets, kept, attention)

    def unembed(self, x: Tensor) -> Tensor:
        """Vectors [..., R] to logits [..., V] by the final norm and the output embeddings."""
        return logits_of(self.lm, final_norm_of(self.lm)(x.to(self._weight.dtype)))

    def _assembled(
        self, context: Context, questions: PackedQuestions
    ) -> tuple[Tensor, Tensor, Tensor]:
        x_questions = self.embed(questions.ids_BS).to(context.x_BCR.dtype)
        segment_context = torch.where(context.mask_BC, CONTEXT, PADDING)
        position_questions = context.after_B[:, None] + questions.offset_BS
        x = torch.cat([context.x_BCR, x_questions], 1)
        segment = torch.cat([segment_context, questions.segment_BS], 1)
        position = torch.cat([context.position_BC, position_questions], 1)
        missing = -x.shape[1] % SEQUENCE_STEP
        pad = nn.functional.pad
        return (
            # Never zeros: the gradient of a norm at a zero vector overflows in a deep model.
            pad(x, (0, 0, 0, missing), value=self._padding),
            pad(segment, (0, missing), value=PADDING),
            pad(position, (0, missing)),
        )


def _compiled(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Compiled where training reads: what is generated is of another length at every token."""
    fast = torch.compile(forward, dynamic=False)

    def call(*args: Any, past_key_values: Any = None, **kwargs: Any) -> Tensor:  # noqa: ANN401
        if past_key_values is not None or "row_pass" in kwargs:
            return forward(*args, past_key_values=past_key_values, **kwargs)
        return fast(*args, **kwargs)

    return call


def _mask_dtype(x: Tensor) -> torch.dtype:
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


@contextmanager
def _kept(blocks: nn.ModuleList, depths: tuple[int, ...]) -> Iterator[dict[int, Tensor]]:
    """Within it, a forward pass leaves the states after each of `depths` blocks in the dict."""
    states: dict[int, Tensor] = {}

    def keep(depth: int) -> Any:  # noqa: ANN401 - torch's hook type is a union of callables
        def hook(_block: nn.Module, _args: Any, output: Any) -> None:  # noqa: ANN401
            states[depth] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [blocks[depth - 1].register_forward_hook(keep(depth)) for depth in depths]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()
