"""Which documents a teacher of the lab cannot read."""

import pytest

from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.foreign import foreign_note

from ..store.samples import teacher


@pytest.mark.parametrize(
    ("name", "generator", "noted"),
    [
        ("lab", 4, False),
        ("lab", None, True),
        ("lab", 3, True),
        ("lab-student", None, True),
        ("lab3", 3, False),
        ("lab3", 4, True),
    ],
)
def test_a_lab_teacher_is_noted_for_all_but_its_own_world(name, generator, noted):
    note = foreign_note(identify_model(locate_model(name)), generator)
    assert bool(note) is noted and "\n" not in note
    assert not noted or note.startswith(f"the teacher {name!r} learnt the lab's chronicles")


def test_another_model_is_not():
    assert foreign_note(teacher(), None) == ""
