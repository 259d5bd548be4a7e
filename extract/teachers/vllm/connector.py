"""KV connector for vLLM: sends hidden states to a channel, frees their blocks once committed.

vLLM's `extract_hidden_states` keeps the states of every token in a layer of the KV cache that
computes nothing. When a request has finished, its connector may read them there; the blocks are
kept until the connector reports the request as done. vLLM's own example writes one file a
request; this one passes the tensor to the extraction in the same process.

vLLM creates two instances: one in its scheduler, which knows the requests, and one in its worker,
which has the cache. The first sends the second its data in the metadata of the next step.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorMetadata
from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import (
    ExampleHiddenStatesConnector,
    extract_from_kv_cache,
)

from .channel import Arrival, arrived, channel_named

CHANNEL = "latentcomp_channel"
"""Key of the channel's name in the connector's extra configuration."""
TICKET = "latentcomp_ticket"
"""Key of a document's ticket in the `kv_transfer_params` of its request."""


@dataclass(frozen=True)
class Finished:
    """A request whose states are all in the cache."""

    request_id: str
    ticket: int
    tokens: int
    block_ids: tuple[int, ...]
    """Blocks of the hidden-state layer, in the order of the tokens."""


@dataclass
class Finishing(KVConnectorMetadata):  # type: ignore[misc]  # vLLM is not installed for mypy
    """From the scheduler's object to the worker's, once a step."""

    requests: list[Finished] = field(default_factory=list)


class StateConnector(ExampleHiddenStatesConnector):  # type: ignore[misc]
    """Hands the states of finished requests to a channel.

    Inherited is only what finds and checks the cache of the hidden-state layer, so that a change
    of its layout is followed by vLLM itself.
    """

    def __init__(self, vllm_config: Any, role: Any, kv_cache_config: Any) -> None:  # noqa: ANN401
        super().__init__(vllm_config, role, kv_cache_config)
        name = self._kv_transfer_config.get_from_extra_config(CHANNEL, "")
        self._channel = channel_named(name)
        self._finished: list[Finished] = []
        self._held: dict[str, tuple[int, Arrival]] = {}
        self._stream: torch.cuda.Stream | None = None

    # --- in the scheduler ---

    def request_finished(
        self,
        request: Any,  # noqa: ANN401
        block_ids: list[int],
    ) -> tuple[bool, None]:
        """Keep the blocks of a request that has finished, and have the worker read them."""
        ticket = (request.kv_transfer_params or {}).get(TICKET)
        if ticket is None or not block_ids or not request.num_output_tokens:
            return False, None  # the engine's own warm-up, or aborted before it was computed
        self._finished.append(
            Finished(request.request_id, ticket, request.num_prompt_tokens, tuple(block_ids))
        )
        return True, None

    def build_connector_meta(self, scheduler_output: Any) -> Finishing:  # noqa: ANN401
        """What the worker has to read in this step."""
        del scheduler_output
        metadata = Finishing(self._finished)
        self._finished = []
        return metadata

    # --- in the worker ---

    def wait_for_save(self) -> None:
        """Nothing is written during a step."""

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, None]:
        """Read what has finished; report as done what has been committed since."""
        del finished_req_ids
        if self.has_connector_metadata():
            for request in self._get_connector_metadata().requests:
                arrival = self._copy(request)
                self._channel.deliver(request.ticket, arrival)
                self._held[request.request_id] = request.ticket, arrival
        done = {
            name
            for name, (ticket, arrival) in self._held.items()
            if arrival.ready() and self._channel.drop_released(ticket)
        }
        for name in done:
            del self._held[name]
        return done or None, None

    def _copy(self, request: Finished) -> Arrival:
        """The states of a request on the CPU; on CUDA they are still being copied."""
        cache = self._kv_cache
        blocks = torch.tensor(request.block_ids)
        slots = (blocks[:, None] * self._block_size + torch.arange(self._block_size)).flatten()
        slots = slots[: request.tokens]
        if cache.device.type != "cuda":
            return arrived(extract_from_kv_cache(cache, slots, request.tokens))
        return self._copy_beside(cache, slots, request.tokens)

    def _copy_beside(self, cache: torch.Tensor, slots: torch.Tensor, tokens: int) -> Arrival:
        """Copy into pinned memory on a stream of its own, behind what the model has written.

        The blocks are safe meanwhile: the request is not reported as done before it is committed.
        """
        if self._stream is None:
            self._stream = torch.cuda.Stream(cache.device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(cache.device))
        with torch.cuda.stream(self._stream):
            places = slots.pin_memory().to(cache.device, non_blocking=True)
            states = extract_from_kv_cache(cache, places, tokens)
            host = torch.empty(states.shape, dtype=states.dtype, pin_memory=True)
            host.copy_(states, non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(self._stream)
        return Arrival(host, copied.synchronize, copied.query)
