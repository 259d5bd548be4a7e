"""The list of a model's decoder blocks, and classes of models that end earlier.

A cut model is built by its whole config and loses its last blocks before any weight is read: with
a config of fewer blocks some classes compute another thing in those that stay (MiniCPM3 scales
each residual branch by the number of blocks).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from torch import nn

from ..common.errors import TeacherError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_BLOCK_LISTS: Final = ("layers", "h", "blocks")
_OTHER_TOWERS: Final = ("vision", "visual", "image", "audio", "speech", "encoder", "mtp", "expert")
"""Parts of a model whose blocks read no text."""
_DEPTH: Final = 4
"""How many modules may stand around the list."""


def find_blocks(model: nn.Module, blocks: int) -> nn.ModuleList | None:
    """The list of decoder blocks of a model; None where there is none.

    Args:
        model: with or without its head.
        blocks: of the whole model; a model that was cut has fewer.
    """
    lists = list(_lists(model, blocks))
    exact = [each for each in lists if len(each) == blocks]
    return next(iter(exact or lists), None)


def model_class(config: "PretrainedConfig") -> tuple[type["PreTrainedModel"], "PretrainedConfig"]:
    """The class that `AutoModelForCausalLM` loads for a config, and the config that it takes.

    Raises:
        TeacherError: transformers has no causal language model for it.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise TeacherError(
            f"a model of type {config.model_type!r} is no causal language model of transformers; "
            "give another model"
        )
    chosen: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    if isinstance(chosen, list | tuple):
        named = {one.__name__: one for one in chosen}
        names = [name for name in config.architectures or [] if name in named]
        chosen = named[names[0]] if names else chosen[0]
    text = config.sub_configs.get("text_config")
    if text is not None and chosen.config_class == text:
        config = config.get_text_config()
    return cast("type[PreTrainedModel]", chosen), config


def cut_class(whole: type["PreTrainedModel"], kept: int) -> type["PreTrainedModel"]:
    """A class as `whole` whose models are built without the blocks behind the first `kept`."""

    def init(self: Any, config: Any, *args: Any, **more: Any) -> None:  # noqa: ANN401
        whole.__init__(self, config, *args, **more)
        cut_blocks(self.base_model, config.get_text_config().num_hidden_layers, kept)

    # The same name: transformers finds by it how weights of older checkpoints are called.
    namespace = {"__init__": init, "__module__": whole.__module__, "__qualname__": whole.__name__}
    return type(whole.__name__, (whole,), namespace)


def cut_blocks(model: nn.Module, blocks: int, kept: int) -> None:
    """Take the blocks behind the first `kept` out of a model of so many blocks.

    Its forward no longer ends with a usable state; what stands before is what it was.

    Raises:
        TeacherError: the list of its blocks is not found.
    """
    listed = find_blocks(model, blocks)
    if listed is None:
        raise TeacherError(no_blocks(type(model).__name__, blocks))
    del listed[kept:]


def no_blocks(name: str, blocks: int) -> str:
    """The message for a model whose blocks cannot be found."""
    return (
        f"model {name!r}: its list of {blocks} decoder blocks was not found under "
        f"{', '.join(_BLOCK_LISTS)}; use a decoder-only model"
    )


def _lists(model: nn.Module, blocks: int) -> Iterator[nn.ModuleList]:
    """Candidates, those nearest to the root first."""
    level = [model]
    for _ in range(_DEPTH):
        for parent in level:
            for name in _BLOCK_LISTS:
                candidate = getattr(parent, name, None)
                if isinstance(candidate, nn.ModuleList) and 0 < len(candidate) <= blocks:
                    yield candidate
        level = [
            child
            for parent in level
            for name, child in parent.named_children()
            if not isinstance(child, nn.ModuleList)
            and not any(word in name for word in _OTHER_TOWERS)
        ]
