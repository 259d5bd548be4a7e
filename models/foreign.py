"""Text that a model of the lab cannot read: whatever is no chronicle of its own world."""

from ..store.format.schema import ModelIdentity
from .files import LAB_FOLDERS
from .names import shown_name
from .world import generator_for


def foreign_note(teacher: ModelIdentity, generator: int | None) -> str:
    """One line where a teacher of the lab is given other text than it learnt; else empty.

    Args:
        teacher: who reads.
        generator: version of the world that the documents are of; None where they are of none, or
            it is not recorded.
    """
    name = shown_name(teacher)
    if name not in LAB_FOLDERS or generator == generator_for(name):
        return ""
    return (
        f"the teacher {name!r} learnt the lab's chronicles and no language: of any other text it "
        "makes nonsense, and so does what reads its latents"
    )
