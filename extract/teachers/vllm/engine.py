"""vLLM's engine in this process, configured to compute hidden states only."""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from ....common.errors import TeacherError
from ....models.vllm_process import set_environment, vllm_reasons
from .channel import StateChannel

_ENVIRONMENT: Final = {
    # A document may fill the whole context: the one token that vLLM samples is never computed.
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
}
_SMALLER: Final = "a smaller --batch-tokens"

_MAX_DOCUMENTS: Final = 256
"""Documents of one step; more are computed in the next one."""
_SAMPLED: Final = 1
"""vLLM cannot run a request without sampling; the token is thrown away."""
_SLACK: Final = 1.1
"""For tensors of the cache that are rounded up, where its size is given in bytes."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything that the engine is started with."""

    folder: Path
    """Model folder: config.json and safetensors."""
    blocks_completed: tuple[int, ...]
    """Layers to read, ascending, each once; vLLM's ids count the same way."""
    dtype: str
    device: torch.device
    step_tokens: int
    """Most tokens that are computed at once; a longer document takes several steps."""
    longest: int
    """Tokens of the longest document."""
    held_tokens: int
    """Tokens that the cache must hold: documents that are read and not yet committed."""
    held_documents: int
    """Number of these documents; each may leave a block of the cache partly empty."""
    bytes_per_token: int
    """Of the cache, for attention and hidden states together."""
    memory_share: float = 0.9
    """Of the memory of a GPU: weights, cache and everything else."""
    cut: bool = True
    """Leave away the blocks behind the deepest layer."""
    eager: bool = False
    """Do not compile: starts sooner, computes a little slower. On a CPU always."""
    random_weights: bool = False
    """Make weights up, to measure an architecture of which only config.json is there."""
    prefix_caching: bool = False
    """Reuse the cache of a common beginning. Off: the last bits of a document would depend on
    what was read before it, and a resumed run would write other bytes."""


class VllmEngine:
    """Computes documents step by step; their states arrive in the channel."""

    def __init__(self, settings: EngineSettings) -> None:
        """Start vLLM.

        Raises:
            TeacherError: vLLM cannot start; the message has its reason.
        """
        self.channel = StateChannel()
        self._settings = settings
        try:
            with vllm_reasons("vLLM cannot start", "give --backend transformers", _SMALLER):
                arguments = engine_arguments(settings, self.channel.name)
                self._engine = start(arguments, settings.device)
                self._core = self._engine.engine_core.engine_core
            self._check_cache()
        except BaseException:
            self.channel.close()
            raise

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self.channel.close()
        self._engine.engine_core.shutdown()

    def blocks(self, lengths: Iterable[int]) -> int:
        """Blocks of the cache that documents of these lengths take."""
        sizes = [group.kv_cache_spec.block_size for group in self._groups]
        # The sampled token and the "draft" of the speculative method have places of their own.
        return sum(math.ceil((n + 2 * _SAMPLED) / size) for n in lengths for size in sizes)

    @property
    def free_blocks(self) -> int:
        """Blocks of the cache that no document has."""
        return int(self._core.scheduler.kv_cache_manager.block_pool.get_num_free_blocks())

    @property
    def cache_blocks(self) -> int:
        """Blocks of the cache; one is vLLM's own."""
        return int(self._core.scheduler.kv_cache_config.num_blocks) - 1

    def compute(self, documents: Sequence[Sequence[int]], tickets: Sequence[int]) -> None:
        """Compute the states of these documents; they are in the channel afterwards.

        Raises:
            TeacherError: vLLM failed.
        """
        advice = f"give {_SMALLER} or --backend transformers"
        with vllm_reasons("vLLM failed", advice, _SMALLER):
            for document, ticket in zip(documents, tickets, strict=True):
                self._add(document, ticket)
            while not all(self.channel.has(ticket) for ticket in tickets):
                self._engine.step()

    def settle(self) -> None:
        """Free the cache of documents that were released.

        Raises:
            TeacherError: vLLM failed.
        """
        with vllm_reasons("vLLM failed", "run the same command again", _SMALLER):
            self._engine.step()

    @property
    def _groups(self) -> Sequence[Any]:
        groups: Sequence[Any] = self._core.scheduler.kv_cache_config.kv_cache_groups
        return groups

    def _add(self, document: Sequence[int], ticket: int) -> None:
        from vllm import SamplingParams

        from .connector import TICKET

        params = SamplingParams(
            max_tokens=_SAMPLED,
            temperature=0.0,
            detokenize=False,
            extra_args={"kv_transfer_params": {TICKET: ticket}},
        )
        self._engine.add_request(str(ticket), {"prompt_token_ids": list(document)}, params)

    def _check_cache(self) -> None:
        size = max(group.kv_cache_spec.block_size for group in self._groups)
        held = self._settings.held_tokens + self._settings.held_documents * size
        needed = self.blocks([held])
        if needed > self.cache_blocks:
            self.close()
            raise TeacherError(
                f"vLLM's cache has {self.cache_blocks:,} blocks of {size} tokens, but "
                f"{needed:,} are needed for the documents that wait for their shards: give a "
                "smaller --batch-tokens, or --backend transformers"
            )


def start(arguments: dict[str, Any], device: torch.device) -> Any:  # noqa: ANN401
    """An `LLMEngine` of these arguments, with its worker, in this process."""
    from vllm import EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = EngineArgs(**arguments).create_engine_config()
        # The number of a GPU has no place in the arguments; the executor reads it here.
        config.device_config.device = device
        return LLMEngine.from_vllm_config(config, disable_log_stats=True)


def engine_arguments(settings: EngineSettings, channel: str) -> dict[str, Any]:
    """The arguments of vLLM's `EngineArgs`."""
    set_environment(_ENVIRONMENT)  # before anything of vLLM is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that vLLM imports
        from .connector import CHANNEL, StateConnector
        from .weights import LOAD_FORMAT, cut_config

    cpu = settings.device.type == "cpu"
    deepest = max(1, settings.blocks_completed[-1])
    arguments = {
        "model": str(settings.folder),
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "load_format": "dummy" if settings.random_weights else LOAD_FORMAT,
        "use_tqdm_on_load": False,
        "hf_overrides": cut_config(settings.folder, deepest) if settings.cut else {},
        "dtype": settings.dtype,
        "max_model_len": settings.longest + _SAMPLED,
        "max_num_batched_tokens": settings.step_tokens,
        "max_num_seqs": min(_MAX_DOCUMENTS, settings.step_tokens),
        "enable_chunked_prefill": True,
        "enable_prefix_caching": settings.prefix_caching,
        "async_scheduling": False,  # a batch is one step: there is nothing to schedule ahead
        "enforce_eager": cpu or settings.eager,  # compiling on a CPU takes longer than reading
        "disable_log_stats": True,
        "speculative_config": {
            "method": "extract_hidden_states",
            "num_speculative_tokens": 1,
            "draft_model_config": {
                "hf_config": {"eagle_aux_hidden_state_layer_ids": list(settings.blocks_completed)}
            },
        },
        "kv_transfer_config": {
            "kv_connector": StateConnector.__name__,
            "kv_connector_module_path": StateConnector.__module__,
            "kv_role": "kv_producer",
            "kv_connector_extra_config": {CHANNEL: channel},
        },
    }
    if cpu:  # on a GPU vLLM measures what is left; here it would take a share of the machine
        arguments["block_size"] = _CPU_BLOCK
        arguments["kv_cache_memory_bytes"] = _cache_bytes(settings)
    else:
        arguments["gpu_memory_utilization"] = settings.memory_share
        # Graphs are for steps of few tokens, one a sequence; those here are as large as can be.
        arguments["compilation_config"] = {"cudagraph_mode": "NONE"}
    return arguments


_CPU_BLOCK: Final = 32
"""Tokens of a block on a CPU: its kernels want a multiple of 32, and 128, vLLM's own choice,
would leave half of the cache empty on short documents."""


def _cache_bytes(settings: EngineSettings) -> int:
    blocks = settings.held_tokens / _CPU_BLOCK + settings.held_documents + 2
    return int(_SLACK * blocks * _CPU_BLOCK * settings.bytes_per_token)
