"""From a phase and two models to something that can be trained."""

from ..common.errors import PhaseError
from ..compressor.model import ModelSpec
from ..reasoner.frozen import FrozenReasoner
from ..store.format.schema import LayerRecord, ModelIdentity
from .objectives import READS_DOCUMENT
from .phases.spec import PhaseSpec


def model_spec(
    phase: PhaseSpec,
    teacher: ModelIdentity,
    layers: tuple[LayerRecord, ...],
    reasoner: FrozenReasoner,
) -> ModelSpec:
    """Shape of what a phase trains, for this teacher and this reasoner.

    Latents are as wide as the teacher's states: each stands where a state stood, so a ratio in
    tokens is a ratio in bytes of one layer too.
    """
    return ModelSpec(
        teacher=teacher,
        reasoner=reasoner.lm.identity,
        layers=layers,
        time=phase.time,
        projection=phase.projection,
        scale=phase.scale,
        scale_multiple=phase.scale_multiple,
        spread=phase.spread,
        # Rounded: its last bits depend on the device, and a run may go on on another one.
        embedding_rms=round(reasoner.embedding_rms(), 6),
        latent_width=teacher.hidden_size,
        reasoner_width=reasoner.width,
        width=2 * teacher.hidden_size,
        heads=max(1, 2 * teacher.hidden_size // 64),
    )


def check_available(phase: PhaseSpec) -> None:
    """Refuse a phase that needs a part which this version lacks.

    Raises:
        PhaseError: names the part.
    """
    if not phase.available:
        raise PhaseError(
            f"phase {phase.number} ({phase.title}) cannot run yet: it needs {phase.lacks}; "
            "its settings are in train/phases/catalog.py"
        )


def check_tokenizers(phase: PhaseSpec, teacher: ModelIdentity, reasoner: ModelIdentity) -> None:
    """Refuse objectives that let the reasoner read the teacher's tokens, where they differ.

    Raises:
        PhaseError: names the objective and both models.
    """
    reading = [o.name for o in phase.objectives if o.name in READS_DOCUMENT]
    if reading and teacher.tokenizer_sha256 != reasoner.tokenizer_sha256:
        raise PhaseError(
            f"phase {phase.number}: objective {reading[0]!r} lets the reasoner "
            f"{reasoner.name!r} read the tokens of the teacher {teacher.name!r}, and their "
            "tokenizers differ; give a reasoner with the same tokenizer"
        )
