"""In which precision a model is loaded: one rule for reading, training, evaluating and planning."""

from typing import Final

from .files import LAB_FOLDERS
from .loading import CausalLM

AUTO: Final = "auto"
BYTES: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Of one number."""

LARGE: Final = 1_000_000_000
"""Parameters from which a frozen reasoner's blocks are computed again in the backward pass."""


def usual_dtype(name: str, device: str) -> str:
    """What `auto` means: float32 for the lab models and on a CPU, bfloat16 elsewhere.

    Large models are made for bfloat16, and in float32 they take twice the memory; a CPU computes
    slower in it, and the lab models are measured in float32.
    """
    small = device.partition(":")[0] == "cpu" or name in LAB_FOLDERS
    return "float32" if small else "bfloat16"


def resolved_dtype(wanted: str, name: str, device: str) -> str:
    """The precision that was asked for, `auto` resolved."""
    return usual_dtype(name, device) if wanted == AUTO else wanted


def computes_again(parameters: int) -> bool:
    """Whether training computes the blocks of a reasoner again instead of keeping what they made.

    It changes no bit; a large model's activations do not fit otherwise.
    """
    return parameters >= LARGE


def dtype_name(lm: CausalLM) -> str:
    """The precision that a model was loaded in, as options name it."""
    return str(lm.model.dtype).removeprefix("torch.")
