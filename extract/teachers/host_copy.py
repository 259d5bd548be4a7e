"""States on their way from the device to the host, while the device goes on computing."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False, slots=True)
class HostCopy:
    """A copy that has been asked for and may not have happened yet."""

    host: torch.Tensor
    """Where it goes; only `wait` says that it is there."""
    done: torch.cuda.Event | None
    """None where there was nothing to wait for."""

    def wait(self) -> torch.Tensor:
        """The states on the CPU, in pinned memory if they come from a GPU."""
        if self.done is not None:
            self.done.synchronize()
        return self.host


class HostCopier:
    """Copies to pinned memory on a stream of its own.

    The pinned blocks are torch's: one that is let go is used again, and not before the copies
    into it are over.
    """

    def __init__(self, device: torch.device) -> None:
        """Copy from `device`."""
        gpu = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if gpu else None  # type: ignore[no-untyped-call]

    def start(self, states: torch.Tensor) -> HostCopy:
        """Copy once what was queued before is computed; returns at once on a GPU."""
        if self._stream is None:
            return HostCopy(states.cpu(), None)
        host = torch.empty(states.shape, dtype=states.dtype, pin_memory=True)
        self._stream.wait_stream(torch.cuda.current_stream(states.device))
        with torch.cuda.stream(self._stream):
            host.copy_(states, non_blocking=True)
        # Its memory must not go to the next batch before it was copied.
        states.record_stream(self._stream)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(self._stream)
        return HostCopy(host, done)
