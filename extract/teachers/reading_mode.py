"""Reading modes of the transformers teacher: packed or padded, attention kernel, compilation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ...common.errors import TeacherError
from ...models.files import ModelFiles, read_config

ReadingModeName = Literal["padded", "packed", "compiled", "tuned"]
RequestedReadingMode = Literal["auto", "padded", "packed", "compiled", "tuned"]

_MAX_HEAD_SIZE = 256
"""Limit of the FlashAttention kernels of torch."""


@dataclass(frozen=True, slots=True)
class ReadingMode:
    """Every field affects the last bits of the states, so a store keeps one mode."""

    packed: bool = False
    """Documents concatenated in one row; otherwise one document a row, padded on the right."""
    kernel: str = "each"
    """Key of `packed_attention.KERNELS`; unused where documents are padded."""
    compiled: bool = False
    """Whether the blocks go through torch.compile, with dynamic shapes: rows of any length."""
    deterministic: bool = True
    """Whether the compiler picks its kernels without timing them. Timed kernels are faster, but
    another process may pick others, which sum in another order."""

    def __str__(self) -> str:
        mode = f"packed, {self.kernel} attention" if self.packed else "padded"
        if not self.compiled:
            return mode
        return f"{mode}, compiled{'' if self.deterministic else ' (tuned)'}"


PADDED = ReadingMode()

COMPILING_PAYS = 2_000_000
"""Tokens of a corpus from which compiling saves more time than it takes."""


def choose_reading_mode(
    requested: RequestedReadingMode,
    files: ModelFiles,
    device: torch.device,
    dtype: str,
    tokens: int,
) -> ReadingModeName:
    """The requested mode, or with `auto` the fastest reproducible one.

    `auto` packs on a GPU in half precision and compiles where there is enough to read. It never
    chooses `tuned`, which is faster still: a resumed run would not give the same last bits.

    Args:
        requested: value of --reading.
        files: of the model.
        device: that computes.
        dtype: in which it computes.
        tokens: of the whole corpus.

    Raises:
        TeacherError: packing is requested and this model's attention cannot be replaced.
    """
    if requested == "padded":
        return "padded"
    fits = can_pack(read_config(files))
    if requested != "auto":
        if not fits:
            raise TeacherError(
                f"--reading {requested}: {files.name!r} has attention that only its own code can "
                "compute (windows, soft caps, recurrence); give --reading padded"
            )
        return requested
    if not fits or device.type != "cuda" or dtype == "float32":
        return "padded"
    return "compiled" if tokens >= COMPILING_PAYS else "packed"


def reading_mode(name: str, device: torch.device, dtype: str) -> ReadingMode:
    """The mode of this name, with the attention kernel that the device supports."""
    if name == "padded":
        return PADDED
    return ReadingMode(
        packed=True,
        kernel="flash" if device.type == "cuda" and dtype != "float32" else "each",
        compiled=name != "packed",
        deterministic=name != "tuned",
    )


def mode_name(mode: ReadingMode) -> ReadingModeName:
    """The value of --reading that stands for a mode."""
    if not mode.packed:
        return "padded"
    if not mode.compiled:
        return "packed"
    return "compiled" if mode.deterministic else "tuned"


def recorded_mode(fields: Mapping[str, Any]) -> ReadingMode:
    """A mode from a benchmark record.

    Records up to 2026-11-27 have `compiled` as no, dynamic or static, and `steady` for
    `deterministic`.
    """
    return ReadingMode(
        packed=fields["packed"],
        kernel=fields.get("kernel", "each"),
        compiled=fields.get("compiled", False) not in (False, "no"),
        deterministic=fields.get("deterministic", fields.get("steady", True)),
    )


def can_pack(config: Any) -> bool:  # noqa: ANN401 - any transformers config
    """True if every layer is plain causal attention that transformers lets us replace.

    Models with sliding windows, soft caps or linear attention are read padded.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return False
    model = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and kinds == {"full_attention"}
        and getattr(text, "sliding_window", None) is None
        and getattr(text, "attn_logit_softcapping", None) is None
        and width <= _MAX_HEAD_SIZE
    )


def compile_blocks(blocks: nn.ModuleList, mode: ReadingMode) -> None:
    """Compile the forward of every block, if the mode says so; all blocks share one graph.

    `forward` is compiled, not `__call__`, so hooks stay outside of the graph.
    """
    if not mode.compiled:
        return
    import torch._inductor.config as inductor

    supported = hasattr(inductor, "deterministic")  # not in every supported torch
    options: dict[str, Any] = {"deterministic": True} if mode.deterministic and supported else {}
    for block in blocks:
        block.forward = torch.compile(block.forward, dynamic=True, options=options)


def restore_blocks(blocks: nn.ModuleList) -> None:
    """Undo `compile_blocks`."""
    for block in blocks:
        block.__dict__.pop("forward", None)
