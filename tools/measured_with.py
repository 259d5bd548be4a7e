"""Which lab teacher a record was made with: records of all generations say `lab`, hashes tell."""

from ..common.errors import TeacherError
from ..evaluate.result import EvaluationResult
from ..experiment.published import earlier_stages
from ..models.files import HISTORY, LAB_FOLDERS, identify_model, locate_model
from ..models.world import generator_of


def measured_with(teacher_sha256: str) -> str:
    """In words: the name that a teacher has by now, and the generator that it reads.

    Args:
        teacher_sha256: of its weights, as the record has it.

    Raises:
        TeacherError: the lab teacher of today is not here.
    """
    for name, sha256 in HISTORY.items():
        if sha256 == teacher_sha256:
            return f"teacher `{name}`, generator {generator_of(LAB_FOLDERS[name])}"
    now = identify_model(locate_model("lab")).weights_sha256
    reads = f"generator {generator_of(LAB_FOLDERS['lab'])}"
    if teacher_sha256 in earlier_stages(now):
        return f"teacher `lab` before its last stage, {reads}"
    if now != teacher_sha256:
        raise TeacherError(
            f"a record is of a teacher with the weights {teacher_sha256[:12]}..., which is none of "
            "the lab here; measure again with `lab`"
        )
    return f"teacher `lab`, {reads}"


def teacher_of(result: EvaluationResult) -> str:
    """The same of who read in an evaluation.

    Raises:
        TeacherError: as above.
    """
    return measured_with(result.provenance["inputs"]["teacher"])
