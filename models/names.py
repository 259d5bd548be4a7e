"""Names of models for people: `lab`, not what the lab teacher was called in training."""

from ..common.errors import TeacherError
from ..store.format.schema import ModelIdentity
from .files import HISTORY, LAB_FOLDERS, identify_model, locate_model


def lab_name(model: ModelIdentity) -> str | None:
    """The name by which users know a model of the lab, whatever it was recorded as; else None.

    Those of generator 3 are known by their recorded hashes, whether they lie here or not.
    """
    for name in LAB_FOLDERS:
        if name in HISTORY:
            if HISTORY[name] == model.weights_sha256:
                return name
            continue
        try:
            if identify_model(locate_model(name)).weights_sha256 == model.weights_sha256:
                return name
        except TeacherError:  # this one does not ship here
            continue
    return None


def shown_name(model: ModelIdentity) -> str:
    """A model's name for people: `lab` rather than what it was called while it was trained."""
    return lab_name(model) or model.name
