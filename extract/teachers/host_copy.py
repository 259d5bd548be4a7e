"""Asynchronous device-to-host copies of states through pinned memory."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False, slots=True)
class HostCopy:
    """A queued copy, perhaps not complete."""

    host: torch.Tensor
    """Target; valid after `wait`."""
    done: torch.cuda.Event | None
    """None for a copy that was synchronous."""

    def wait(self) -> torch.Tensor:
        """The states on the CPU, in pinned memory if they come from a GPU."""
        if self.done is not None:
            self.done.synchronize()
        return self.host


class HostCopier:
    """Copies to pinned memory on a CUDA stream of its own.

    Pinned memory comes from torch's caching allocator, which reuses a block only after the copies
    into it are complete.
    """

    def __init__(self, device: torch.device) -> None:
        """Copy from `device`."""
        gpu = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if gpu else None  # type: ignore[no-untyped-call]

    def start(self, states: torch.Tensor) -> HostCopy:
        """Queue a copy behind the kernels queued so far; returns immediately on a GPU."""
        if self._stream is None:
            return HostCopy(states.cpu(), None)
        host = torch.empty(states.shape, dtype=states.dtype, pin_memory=True)
        self._stream.wait_stream(torch.cuda.current_stream(states.device))
        with torch.cuda.stream(self._stream):
            host.copy_(states, non_blocking=True)
        # The allocator must not reuse this memory before the copy is complete.
        states.record_stream(self._stream)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(self._stream)
        return HostCopy(host, done)
