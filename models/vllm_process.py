"""vLLM in this process: what must be in the environment before it is imported, and its failures
as one line."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import torch

from ..common.errors import TeacherError
from .files import one_line

_ENVIRONMENT: Final = {
    # The engine and its worker in this process: tensors are handed over by a plain call, and
    # failures are exceptions here.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
_QUIET: Final = {"VLLM_LOGGING_LEVEL": "ERROR"}
"""Set unless the user has: a failure shall be one line, ours."""


def set_environment(more: Mapping[str, str] | None = None) -> None:
    """Settings of vLLM that it reads from the environment when it is imported.

    Args:
        more: of this engine alone.
    """
    os.environ.update({**_ENVIRONMENT, **(more or {})})
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


@contextmanager
def vllm_reasons(what: str, advice: str, smaller: str) -> Iterator[None]:
    """Convert exceptions of vLLM into one line.

    Args:
        what: goes wrong within it.
        advice: what works then.
        smaller: what works where the memory of the device is full.

    Raises:
        TeacherError: whatever vLLM raised.
    """
    try:
        yield
    except TeacherError:
        raise
    except torch.OutOfMemoryError as error:
        raise TeacherError(f"{what}: the memory of the device is full; give {smaller}") from error
    except Exception as error:  # of vLLM and everything below it
        raise TeacherError(f"{what} ({one_line(_root(error))}); {advice}") from error


def _root(error: BaseException) -> BaseException:
    """The root cause; vLLM wraps some exceptions."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
