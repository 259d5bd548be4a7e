"""Checkpoints, and one vLLM engine at a time: it cannot be had twice in a process."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch

from latentcomp.extract.backends import Need, cache_bytes_per_token
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.extract.teachers.vllm.engine import EngineSettings
from latentcomp.extract.teachers.vllm.teacher import VllmTeacher
from latentcomp.models.files import identify_model, locate_model, read_config
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.vllm_versions import installed_vllm
from latentcomp.store.format.schema import LayerRecord

from . import checkpoints

CPU = torch.device("cpu")
BF16 = torch.bfloat16


@pytest.fixture(autouse=True)
def _installed(request):
    installed = installed_vllm()
    if installed is None:
        pytest.skip("vLLM is not installed; run make test-vllm")
    wanted = "cuda" if request.node.get_closest_marker("gpu") else "cpu"
    if installed.device != wanted:
        pytest.skip(f"the installed vLLM is built for {installed.device}")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Names that `locate_model` takes, by kind."""
    root = tmp_path_factory.mktemp("models")
    return {
        "lab": "lab",
        "moe": str(checkpoints.save(checkpoints.qwen3_moe(), root / "moe", "200KB")),
        "dense": str(checkpoints.save(checkpoints.qwen3(), root / "dense")),
        "moe-bf16": str(checkpoints.save(checkpoints.qwen3_moe(), root / "b", dtype=BF16)),
        "wide-bf16": str(checkpoints.save(checkpoints.wide_moe(), root / "d", dtype=BF16)),
        "dense-bf16": str(checkpoints.save(checkpoints.qwen3(), root / "c", dtype=BF16)),
    }


@dataclass(frozen=True)
class Bench:
    """One model, read by either backend."""

    name: str
    dtype: str = "float32"
    device: str = "cpu"

    @property
    def blocks(self):
        return identify_model(locate_model(self.name)).blocks

    @property
    def context(self):
        config = read_config(locate_model(self.name))
        return config.get_text_config().max_position_embeddings

    @property
    def every_layer(self):
        """All that vLLM can show: the embeddings and the state after every block."""
        return [LayerRecord(blocks_completed=n, post_norm=False) for n in range(self.blocks + 1)]

    def expected(self, documents, layers, dtype=None):
        """What transformers computes, one document at a time."""
        lm = load_causal_lm(self.name, dtype=dtype or self.dtype, device=self.device)
        teacher = TransformersTeacher(lm)
        return [teacher.states([document], layers)[0] for document in documents]

    def exact(self, documents, layers):
        """The same in float64, from which float32 is away by its own rounding."""
        lm = load_causal_lm(self.name, dtype="float32", device=self.device)
        lm.model.double()
        teacher = TransformersTeacher(lm)
        return [teacher.states([document], layers)[0] for document in documents]

    def settings(self, documents, layers, **changes):
        files = locate_model(self.name)
        lengths = [len(document) for document in documents]
        computed = layers if changes.get("cut", True) else [*layers, self.every_layer[-1]]
        settings = EngineSettings(
            folder=files.folder,
            blocks_completed=tuple(layer.blocks_completed for layer in layers),
            dtype=self.dtype,
            device=torch.device(self.device),
            step_tokens=256,
            longest=max(lengths),
            held_tokens=2 * sum(lengths),
            held_documents=2 * len(lengths),
            bytes_per_token=cache_bytes_per_token(read_config(files), computed, self.dtype),
            memory_share=0.1,  # of a GPU
        )
        return replace(settings, **changes)

    @contextmanager
    def vllm(self, documents, layers, **changes):
        """The vLLM teacher, started for these documents."""
        identity = identify_model(locate_model(self.name))
        teacher = VllmTeacher(identity, self.settings(documents, layers, **changes))
        try:
            yield teacher
        finally:
            teacher.close()


def need(name, layers, device=CPU, dtype="float32"):
    """What the runner would ask for."""
    return Need(locate_model(name), tuple(layers), device, dtype, 256, checkpoints.CONTEXT)
