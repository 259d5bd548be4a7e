"""Channel for hidden states from vLLM's KV connector to the teacher.

The engine runs in the process of the extraction, so this is a plain object with a lock. vLLM
creates the connector from the name of its class; the connector looks up its channel by a name in
its configuration. Nothing is copied here, and no file or socket is involved.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import torch

_OPEN: Final[dict[str, "StateChannel"]] = {}
_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Arrival:
    """The states of one document, perhaps still being copied from the device."""

    states: torch.Tensor
    """[tokens, layers, hidden] on the CPU."""
    wait: Callable[[], object]
    """Blocks until the copy into `states` is complete; raises its error."""
    ready: Callable[[], bool]
    """True once the copy is complete."""


def arrived(states: torch.Tensor) -> Arrival:
    """States that need no copy."""
    return Arrival(states, lambda: None, lambda: True)


class StateChannel:
    """Documents by ticket: delivered by the engine, taken by the teacher, released by the store.

    A document is released when its shard is committed. Only then does the connector report its
    request as done, so vLLM keeps the document's cache blocks until then, and a slow disk blocks
    the engine instead of filling the memory. All methods are thread-safe.
    """

    def __init__(self) -> None:
        self.name = f"channel-{next(_NUMBERS)}"
        self._changed = threading.Condition()
        self._arrived: dict[int, Arrival] = {}
        self._released: set[int] = set()
        self._releases = 0
        _OPEN[self.name] = self

    def close(self) -> None:
        """Close the channel; a later look-up by a connector fails."""
        _OPEN.pop(self.name, None)

    def deliver(self, ticket: int, arrival: Arrival) -> None:
        """Add the states of a document."""
        with self._changed:
            self._arrived[ticket] = arrival

    def has(self, ticket: int) -> bool:
        """True if the document was delivered and not yet taken."""
        with self._changed:
            return ticket in self._arrived

    def take(self, ticket: int) -> torch.Tensor:
        """Remove and return the states of a delivered document; waits for their copy."""
        with self._changed:
            arrival = self._arrived.pop(ticket)
        arrival.wait()
        return arrival.states

    def release(self, tickets: Iterable[int]) -> None:
        """Mark documents whose cache blocks the engine may free."""
        with self._changed:
            self._released.update(tickets)
            self._releases += 1
            self._changed.notify_all()

    def drop_released(self, ticket: int) -> bool:
        """True if the document was released; clears the mark."""
        with self._changed:
            if ticket not in self._released:
                return False
            self._released.remove(ticket)
            return True

    @property
    def releases(self) -> int:
        """Number of calls of `release` so far."""
        with self._changed:
            return self._releases

    def wait_for_release(self, seen: int, seconds: float) -> bool:
        """Wait until there were more than `seen` releases; False after a timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: self._releases > seen, timeout=seconds)


def channel_named(name: str) -> StateChannel:
    """The open channel of this name.

    Raises:
        RuntimeError: there is none in this process: the engine runs in another one.
    """
    try:
        return _OPEN[name]
    except KeyError:
        raise RuntimeError(
            f"no {name!r} in this process: the vLLM worker must run in the process of the "
            "extraction (one device, VLLM_ENABLE_V1_MULTIPROCESSING=0)"
        ) from None
