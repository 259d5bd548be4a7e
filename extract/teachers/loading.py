"""Loading a teacher for extraction: only the needed blocks, without the lm_head."""

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch

from ...common.errors import TeacherError
from ...models.files import ModelFiles, identify_model, locate_model, one_line, read_config
from ...models.loading import DTYPES, load_weights, resolve_device
from ...store.format.schema import LayerRecord, ModelIdentity

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PER_BLOCK = ("layer_types", "no_rope_layers")
"""Entries of a config that hold one value a block."""


@dataclass(frozen=True, eq=False, slots=True)
class LoadedTeacher:
    """A base model without its head, truncated after the deepest block that is read."""

    identity: ModelIdentity
    """Of the whole model."""
    model: "PreTrainedModel"


def load_teacher(
    name: str,
    layers: Sequence[LayerRecord],
    *,
    revision: str | None = None,
    dtype: str = "bfloat16",
    device: str = "auto",
    random_weights_seed: int | None = None,
) -> LoadedTeacher:
    """Load what the extraction of `layers` needs of a model, frozen.

    Blocks behind the deepest layer are neither read from the disk nor allocated.

    Args:
        name: as `load_causal_lm` takes it.
        layers: that will be read.
        revision: commit, tag or branch of a hub model.
        dtype: precision of weights and arithmetic, one of `DTYPES`.
        device: as in torch, or `auto`.
        random_weights_seed: draw random weights with this seed instead of loading any, to
            measure an architecture of which only config.json is available. The identity has a
            name and hashes of its own then.

    Raises:
        TeacherError: the model cannot be found, read or placed; the message says why.
    """
    place, files = resolve_device(device), locate_model(name, revision=revision)
    if random_weights_seed is None:
        identity = identify_model(files)
        whole = load_weights(files, DTYPES[dtype], place, blocks_needed(layers, identity.blocks))
    else:
        identity = random_identity(files, random_weights_seed)
        config = _cut_config(read_config(files), layers)
        whole = _random_model(config, DTYPES[dtype], place, random_weights_seed)
    return LoadedTeacher(identity, cast("PreTrainedModel", whole.base_model))


def blocks_needed(layers: Sequence[LayerRecord], blocks: int) -> int | None:
    """How many blocks must be there to read these layers; None for a whole model of `blocks`."""
    deepest = max(layer.blocks_completed for layer in layers)
    if any(layer.post_norm for layer in layers) or deepest >= blocks:
        return None
    return max(1, deepest)


def random_identity(files: ModelFiles, seed: int) -> ModelIdentity:
    """Identity of a model with random weights; never equal to that of a real checkpoint.

    Raises:
        TeacherError: config.json is missing or damaged.
    """
    config = read_config(files)
    text = config.get_text_config()
    shape = hashlib.sha256((files.folder / "config.json").read_bytes()).hexdigest()
    return ModelIdentity(
        name=f"{files.name} with random weights",
        revision=files.revision,
        architecture=(config.architectures or [type(config).__name__])[0],
        blocks=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        weights_sha256=f"random weights of seed {seed} for config {shape}",
        tokenizer_sha256="none",
    )


def _cut_config(config: Any, layers: Sequence[LayerRecord]) -> Any:  # noqa: ANN401
    """The config of the model without the blocks behind the deepest of `layers`.

    For random weights alone, which are drawn for every block that the config names. What a config
    of fewer blocks computes may differ from the blocks of a whole model.
    """
    config = copy.deepcopy(config)
    text = config.get_text_config()
    blocks = blocks_needed(layers, text.num_hidden_layers)
    if blocks is None:
        return config
    text.num_hidden_layers = blocks
    for entry in _PER_BLOCK:
        if values := getattr(text, entry, None):
            setattr(text, entry, values[: text.num_hidden_layers])
    return config


def _random_model(
    config: Any,  # noqa: ANN401
    dtype: torch.dtype,
    device: torch.device,
    seed: int,
) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    gpus = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=gpus), device:
            torch.manual_seed(seed)
            make: Any = AutoModelForCausalLM.from_config
            model = make(config, dtype=dtype)
    except torch.OutOfMemoryError as error:
        raise TeacherError(
            f"a model of this config does not fit into the memory of {device}; "
            "give a narrower dtype or another device"
        ) from error
    except Exception as error:  # configs are checked in the constructors of the models
        raise TeacherError(
            f"no model can be made of this config ({one_line(error)}); check config.json"
        ) from error
    model.requires_grad_(False)
    return cast("PreTrainedModel", model.eval())
