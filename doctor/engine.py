"""Check of the engine: who extracts, and what is there if vLLM is not."""

from ..models.vllm_versions import installed_vllm, supported_text
from .findings import Finding
from .settings import Settings


def check_engine(settings: Settings) -> Finding:
    """vLLM where it is installed at a version that was compared; else transformers, as `auto`."""
    del settings
    vllm = installed_vllm()
    if vllm is None:
        return Finding(
            status="ok",
            observed="vLLM is not installed: extraction falls back on transformers, whose states "
            "are the reference (`forward` reads with it)",
            next_step="`pip install 'latentcomp[vllm]'` on a GPU machine, where it is wanted",
            details={"engine": "transformers"},
        )
    if not vllm.supported:
        return Finding(
            status="ok",
            observed=f"vLLM {vllm.version} is installed, supported is {supported_text()}: "
            "extraction falls back on transformers",
            next_step="`pip install 'latentcomp[vllm]'` for a version that is supported",
            details={"engine": "transformers", "vllm": str(vllm.version)},
        )
    return Finding(
        status="ok",
        observed=f"vLLM {vllm.version} for {vllm.device} is installed; transformers is there for "
        "models, layers and devices that it does not fit",
        details={"engine": "vllm", "vllm": str(vllm.version)},
    )
