"""Choice of the extraction engine: the requested one, that of the existing store, or what fits.

`auto` goes through a table of objections to vLLM, cheapest first. Nothing here imports vLLM.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import torch

from ..common.errors import TeacherError
from ..models.files import ModelFiles, identify_model, read_config
from ..models.layers import layer_name
from ..models.loading import DTYPES
from ..models.vllm_versions import (
    attention_numbers,
    installed_vllm,
    why_absent,
    why_not_heads,
    why_not_on,
)
from ..store.format.schema import LayerRecord
from .releasing import Uncommitted, max_uncommitted_tokens
from .teachers.vllm.engine import EngineSettings
from .teachers.vllm.teacher import VllmTeacher

BackendName = Literal["transformers", "vllm"]
RequestedBackend = Literal["auto", "transformers", "vllm"]

PROVEN_ARCHITECTURES: Final = ("Qwen3ForCausalLM", "Qwen3MoeForCausalLM")
"""Whose states tests/vllm compare with those of transformers, at every layer."""

GPU_SHARE: Final = 0.9
"""Of the memory of a GPU that vLLM takes, its own default."""


@dataclass(frozen=True, slots=True)
class Need:
    """Requirements of an extraction on its engine."""

    files: ModelFiles
    layers: tuple[LayerRecord, ...]
    device: torch.device
    compute_dtype: str
    batch_tokens: int
    context_tokens: int
    """Tokens of the longest possible document."""

    @property
    def held_tokens(self) -> int:
        """Upper bound of the tokens whose states wait for the disk, for any documents."""
        return max_uncommitted_tokens(self.batch_tokens, self.context_tokens)


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that was chosen."""

    backend: BackendName
    why: str
    """The reason, shown to the user."""

    def __str__(self) -> str:
        return f"backend: {self.backend} ({self.why})"


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason not to use vLLM."""

    find: Callable[[Need], str | None]
    """The reason; None if there is none."""
    binding: bool
    """Whether vLLM would fail; otherwise `auto` avoids it and `--backend vllm` is accepted."""


def choose_backend(requested: RequestedBackend, need: Need, begun_with: str | None) -> Choice:
    """The engine for an extraction.

    Args:
        requested: value of --backend.
        need: of the extraction.
        begun_with: engine of the existing store, None without one: engines differ in last bits.

    Raises:
        TeacherError: vLLM is requested and cannot be used; the message has the reason.
    """
    if begun_with in ("transformers", "vllm") and requested in ("auto", begun_with):
        return Choice(cast(BackendName, begun_with), "the store was begun with it")
    if requested == "transformers":
        return Choice("transformers", "requested")
    if requested == "vllm":
        require_vllm(need)
        return Choice("vllm", "requested")
    for objection in OBJECTIONS:
        if reason := objection.find(need):
            return Choice("transformers", reason)
    return Choice("vllm", f"version {_installed_version()} is installed and fits")


def require_vllm(need: Need) -> None:
    """Check that vLLM can be used.

    Raises:
        TeacherError: it cannot; the message has the reason.
    """
    for objection in OBJECTIONS:
        if objection.binding and (reason := objection.find(need)):
            raise TeacherError(f"--backend vllm: {reason}; give --backend transformers")


def start_vllm(need: Need, uncommitted: Uncommitted) -> VllmTeacher:
    """The vLLM teacher for an extraction.

    Args:
        need: for which vLLM was chosen.
        uncommitted: what its cache must hold.

    Raises:
        TeacherError: vLLM does not fit or cannot start; the message has its reason.
    """
    require_vllm(need)
    config = read_config(need.files)
    settings = EngineSettings(
        folder=need.files.folder,
        blocks_completed=tuple(layer.blocks_completed for layer in need.layers),
        dtype=need.compute_dtype,
        device=need.device,
        step_tokens=need.batch_tokens,
        longest=uncommitted.longest,
        held_tokens=uncommitted.tokens,
        held_documents=uncommitted.documents,
        bytes_per_token=cache_bytes_per_token(config, need.layers, need.compute_dtype),
        memory_share=GPU_SHARE,
    )
    return VllmTeacher(identify_model(need.files), settings)


def cache_bytes_per_token(
    config: Any,  # noqa: ANN401 - any transformers config
    layers: Sequence[LayerRecord],
    dtype: str,
) -> int:
    """Bytes of vLLM's cache for a token: keys and values of every block up to the deepest, and
    the states themselves."""
    text = config.get_text_config()
    attention = attention_numbers(text, max(1, layers[-1].blocks_completed))
    values = attention + len(layers) * text.hidden_size
    return int(values * DTYPES[dtype].itemsize)


def _installed_version() -> str:
    vllm = installed_vllm()
    return str(vllm.version) if vllm else "none"


def _absent(need: Need) -> str | None:
    del need
    return why_absent()


def _other_device(need: Need) -> str | None:
    return why_not_on(need.device.type)


def _after_the_norm(need: Need) -> str | None:
    for layer in need.layers:
        if layer.post_norm:
            return f"vLLM does not show the state {layer_name(layer)} (layer -1)"
    return None


def _unproven_architecture(need: Need) -> str | None:
    names = read_config(need.files).architectures or []
    if set(names) & set(PROVEN_ARCHITECTURES):
        return None
    return (
        f"vLLM's states of {', '.join(names) or 'this architecture'} were not compared with those "
        f"of transformers, only {' and '.join(PROVEN_ARCHITECTURES)}"
    )


def _head_size_on_cpu(need: Need) -> str | None:
    return why_not_heads(read_config(need.files).get_text_config(), need.device.type)


def _too_large(need: Need) -> str | None:
    if need.device.type != "cuda":
        return None
    config = read_config(need.files)
    stored = getattr(config, "dtype", None) or torch.bfloat16
    size = DTYPES[need.compute_dtype].itemsize / stored.itemsize
    weights = size * sum(file.stat().st_size for file in need.files.weights)
    cache = need.held_tokens * cache_bytes_per_token(config, need.layers, need.compute_dtype)
    room = GPU_SHARE * torch.cuda.get_device_properties(need.device).total_memory
    if weights + cache <= room:
        return None
    return (
        f"vLLM needs {weights / 1e9:.1f} GB for the weights and {cache / 1e9:.1f} GB for the "
        f"cache, of {room / 1e9:.1f} GB"
    )


OBJECTIONS: Final = (
    Objection(_absent, binding=True),
    Objection(_other_device, binding=True),
    Objection(_after_the_norm, binding=True),
    Objection(_head_size_on_cpu, binding=True),
    Objection(_unproven_architecture, binding=False),
    Objection(_too_large, binding=True),
)
