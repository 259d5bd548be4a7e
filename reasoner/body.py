"""The parts of a causal language model, whose names depend on its architecture."""

from typing import Final

from torch import nn

from ..common.errors import TeacherError
from ..models.loading import CausalLM

_NORMS: Final = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f")
"""Names of the norm behind the last block."""


def blocks_of(lm: CausalLM) -> nn.ModuleList:
    """The transformer blocks, first to last: the outermost list of as many modules.

    Raises:
        TeacherError: the model has no such list.
    """
    count = lm.identity.blocks
    for module in lm.model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise TeacherError(
        f"model {lm.identity.name!r} ({lm.identity.architecture}): no list of its {count} blocks "
        "was found, so it cannot be the reasoner; give a decoder-only model"
    )


def final_norm_of(lm: CausalLM) -> nn.Module:
    """The norm between the last block and the output embeddings.

    Raises:
        TeacherError: it was not found under any of the names that are known.
    """
    blocks = blocks_of(lm)
    for owner in lm.model.base_model.modules():
        if any(child is blocks for child in owner.children()):
            for name in _NORMS:
                norm = getattr(owner, name, None)
                if isinstance(norm, nn.Module):
                    return norm
    raise TeacherError(
        f"model {lm.identity.name!r} ({lm.identity.architecture}): no final norm was found under "
        f"{', '.join(_NORMS)}; leave out the objectives that need it, with "
        "--set objectives.reconstruction=null"
    )
