"""Checkpoints that nobody trained: right in form, for those who only look at their hash."""

from pathlib import Path

from latentcomp.compressor import checkpoint
from latentcomp.compressor.model import CompressionModel, ModelSpec
from latentcomp.store.format.schema import LayerRecord, ModelIdentity

MODEL = ModelIdentity(
    name="tiny",
    revision=None,
    architecture="Qwen3ForCausalLM",
    blocks=4,
    hidden_size=8,
    weights_sha256="0" * 64,
    tokenizer_sha256="0" * 64,
)
SPEC = ModelSpec(
    teacher=MODEL,
    reasoner=MODEL,
    layers=(LayerRecord(blocks_completed=3, post_norm=False),),
    time=False,
    projection="learned",
    scale="free",
    scale_multiple=1.0,
    embedding_rms=1.0,
    latent_width=8,
    reasoner_width=8,
    width=8,
    heads=1,
    blocks=1,
)


def save_checkpoint(root: Path, weights: bytes = b"weights") -> str:
    """Write a checkpoint; returns the sha256 of its weights, other for other `weights`."""
    model = CompressionModel(SPEC)
    for tensor in model.state_dict().values():
        tensor.fill_(float(sum(weights)))
    checkpoint.save_checkpoint(root, 1, model, None, {}, finished=True)
    return checkpoint.open_checkpoint(root).state.sha256[checkpoint.MODEL]
