"""How a teacher reads: packed or padded, with which attention kernel, compiled or not."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ...common.errors import TeacherError
from ...models.files import ModelFiles, read_config

ReadingName = Literal["padded", "packed", "compiled", "tuned"]
AskedReading = Literal["auto", "padded", "packed", "compiled", "tuned"]

Compiled = Literal["no", "dynamic", "static"]

_WIDEST_HEAD = 256
"""What the FlashAttention kernels of torch take."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Every choice shows in the last bits of the states, so a store keeps to one."""

    packed: bool = False
    """Documents one behind the other in one row; else one a row, padded on the right."""
    kernel: str = "each"
    """Of `packed_attention.KERNELS`; unused where documents are padded."""
    compiled: Compiled = "no"
    """Blocks through torch.compile: `dynamic` for rows of any length, `static` for one length."""
    steady: bool = True
    """Compiled kernels of one form in every process and on every run; else the compiler times
    several, and another choice sums in another order."""
    row_tokens: int | None = None
    """Length that rows are filled up to, for `static`."""

    def __str__(self) -> str:
        how = f"packed, {self.kernel} attention" if self.packed else "padded"
        if self.compiled == "no":
            return how
        return f"{how}, compiled ({self.compiled}{'' if self.steady else ', tuned'})"


PADDED = Reading()

COMPILING_PAYS = 2_000_000
"""Tokens: less is read in about the time that compiling takes."""


def choose_reading(
    asked: AskedReading,
    files: ModelFiles,
    device: torch.device,
    dtype: str,
    tokens: int,
) -> ReadingName:
    """The name of the reading that is asked for, or with `auto` the fastest that is right:
    packed on a GPU in half precision, and compiled where there is enough to read. `tuned` is
    faster still and has to be asked for, because a run that was killed then does not go on with
    the same last bits.

    Args:
        asked: by the user.
        files: of the model.
        device: that computes.
        dtype: in which it computes.
        tokens: of the whole corpus.

    Raises:
        TeacherError: packing is asked for and this model's attention cannot be exchanged.
    """
    if asked == "padded":
        return "padded"
    fits = can_pack(read_config(files))
    if asked != "auto":
        if not fits:
            raise TeacherError(
                f"--reading {asked}: {files.name!r} has attention that only its own code can "
                "compute (windows, soft caps, recurrence); give --reading padded"
            )
        return asked
    if not fits or device.type != "cuda" or dtype == "float32":
        return "padded"
    return "compiled" if tokens >= COMPILING_PAYS else "packed"


def named_reading(name: str, device: torch.device, dtype: str) -> Reading:
    """The reading of this name, with the attention kernel that the device has for it."""
    if name == "padded":
        return PADDED
    return Reading(
        packed=True,
        kernel="flash" if device.type == "cuda" and dtype != "float32" else "each",
        compiled="no" if name == "packed" else "dynamic",
        steady=name != "tuned",
    )


def named_by(reading: Reading) -> ReadingName:
    """The name on the command line of a reading."""
    if not reading.packed:
        return "padded"
    if reading.compiled == "no":
        return "packed"
    return "compiled" if reading.steady else "tuned"


def can_pack(config: Any) -> bool:  # noqa: ANN401 - any transformers config
    """True if every layer is plain causal attention that transformers lets us exchange.

    Windows, soft caps and linear attention are left to the padded way.
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
        and width <= _WIDEST_HEAD
    )


def compile_blocks(blocks: nn.ModuleList, reading: Reading) -> None:
    """Let the forward of every block go through torch.compile: one graph serves all of them.

    The forward alone, not the call: hooks stay outside of the graph.
    """
    if reading.compiled == "no":
        return
    import torch._inductor.config as inductor

    known = hasattr(inductor, "deterministic")  # not in every torch that we run with
    options: dict[str, Any] = {"deterministic": True} if reading.steady and known else {}
    for block in blocks:
        forward = torch.compile(
            block.forward, dynamic=reading.compiled == "dynamic", options=options
        )
        block.forward = forward


def restore_blocks(blocks: nn.ModuleList) -> None:
    """Undo `compile_blocks`."""
    for block in blocks:
        block.__dict__.pop("forward", None)
