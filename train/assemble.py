"""From a phase and two models to something that can be trained."""

from ..errors import PhaseError
from ..models import TextSide
from ..store.schema import LayerRecord, TeacherIdentity
from .model import ModelSpec
from .phases.spec import PhaseSpec
from .reasoner import FrozenReasoner


def model_spec(
    phase: PhaseSpec,
    teacher: TeacherIdentity,
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
        embedding_rms=reasoner.embedding_rms(),
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


def check_tokenizers(teacher: TextSide, reasoner: TextSide) -> None:
    """Refuse a reasoner that does not read the teacher's tokens where that is needed.

    Raises:
        PhaseError: the tokenizers differ.
    """
    if teacher.identity.tokenizer_sha256 != reasoner.identity.tokenizer_sha256:
        raise PhaseError(
            f"the tokenizers of {teacher.identity.name!r} and {reasoner.identity.name!r} differ: "
            "objectives that read the document need one tokenizer"
        )
