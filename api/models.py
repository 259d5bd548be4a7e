"""Models of a compressor by name: which one its record means, and whether a loaded one is it."""

from ..common.errors import CheckpointError
from ..models.cached import given_name, is_cached_name
from ..models.loading import CausalLM, load_causal_lm
from ..models.names import lab_name, shown_name
from ..store.format.schema import ModelIdentity


def name_of(role: str, model: ModelIdentity) -> str:
    """The name that loads a model which a record identifies.

    Args:
        role: teacher or reasoner, for messages.
        model: as recorded.

    Raises:
        CheckpointError: it is of a local folder, of which only the last part is recorded.
    """
    if (name := lab_name(model)) is not None:
        return name
    if model.revision is not None:
        return model.name
    if is_cached_name(model.name):
        return given_name(model.name)
    raise CheckpointError(
        f"the {role} {model.name!r} (weights {model.weights_sha256[:12]}...) is a model of a local "
        f"folder; give {role}= with the folder"
    )


def load_recorded(
    role: str, model: ModelIdentity, given: str | None, *, device: str, dtype: str = "float32"
) -> CausalLM:
    """Load the model that a record identifies, or the given one if it is the same.

    Raises:
        CheckpointError: it is another one, or cannot be named.
        TeacherError: it cannot be found or loaded.
    """
    revision = model.revision if given is None else None
    name = given or name_of(role, model)
    lm = load_causal_lm(name, revision=revision, device=device, dtype=dtype)
    if lm.identity.weights_sha256 != model.weights_sha256:
        raise CheckpointError(
            f"the compressor was trained with {role} {shown_name(model)!r} (weights "
            f"{model.weights_sha256[:12]}...), and {name!r} is another one "
            f"({lm.identity.weights_sha256[:12]}...); give the right {role}="
        )
    return lm
