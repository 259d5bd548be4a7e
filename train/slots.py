"""Memory that other processes make batches in, and that a GPU copies them from.

A batch that comes in memory of its own costs the process that trains a mapping, the first touch of
every page, a copy into pinned memory and the unmapping: tens of milliseconds, some of them with the
interpreter's lock. Slots are mapped, touched and pinned once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def _never() -> bool:
    return False


def _always() -> bool:
    return True


@dataclass(eq=False, slots=True)
class Loan:
    """A slot that is in use."""

    number: int
    memory: Tensor
    """uint8 [bytes]"""
    over: Callable[[], bool] = _never
    """True as soon as nobody uses it any more."""

    def end(self, ready: torch.cuda.Event | None = None) -> None:
        """Give it back, at once or when `ready` was reached."""
        self.over = _always if ready is None else ready.query


class Slots:
    """So many pieces of shared memory of one size; used by one thread."""

    def __init__(self, count: int, bytes_: int, *, pinned: bool) -> None:
        """Take the memory.

        Args:
            count: slots; none if they would hold nothing.
            bytes_: of each.
            pinned: let a GPU copy from it by itself.
        """
        self.memory: Tensor = torch.zeros(count if bytes_ else 0, bytes_, dtype=torch.uint8)
        """uint8 [slots, bytes]; other processes are sent it, not a copy."""
        self.memory.share_memory_()  # type: ignore[no-untyped-call]
        self._loans: list[Loan | None] = [None] * len(self.memory)
        self._pinned = pinned and self.memory.numel() > 0 and _pin(self.memory)

    def take(self) -> Loan | None:
        """A slot that nobody uses, or None if there is none."""
        for number, loan in enumerate(self._loans):
            if loan is None or loan.over():
                taken = self._loans[number] = Loan(number, self.memory[number])
                return taken
        return None

    def close(self) -> None:
        """Give the memory back; nobody may use it after that."""
        if self._pinned:
            torch.cuda.synchronize()
            runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
            runtime.cudaHostUnregister(self.memory.data_ptr())
            self._pinned = False


def _pin(memory: Tensor) -> bool:
    """Pin memory that is there already; False where the system does not let us."""
    runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
    return int(runtime.cudaHostRegister(memory.data_ptr(), memory.numel(), 0)) == 0
