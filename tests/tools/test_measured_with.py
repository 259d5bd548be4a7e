"""Records say `lab` whatever its weights were: pages say which teacher and which world is meant."""

import pytest

from latentcomp.common.errors import TeacherError
from latentcomp.models.files import HISTORY, identify_model, locate_model
from latentcomp.tools.measured_with import measured_with


def test_a_record_is_of_the_teacher_that_its_hash_names():
    assert measured_with(HISTORY["lab3"]) == "teacher `lab3`, generator 3"
    today = identify_model(locate_model("lab")).weights_sha256
    assert measured_with(today) == "teacher `lab`, generator 4"


def test_a_record_of_weights_that_lie_nowhere_is_not_quoted():
    with pytest.raises(TeacherError, match="000000000000.* measure again with `lab`"):
        measured_with("0" * 64)
