"""The verdicts that ship: whole, of the lab teacher, by the gates of today, and open to all."""

from latentcomp.experiment.order import missing
from latentcomp.experiment.phases import phase
from latentcomp.experiment.published import read_published


def test_what_is_published_is_readable_and_of_the_lab_teacher():
    """Each by the gate of today, on all that the plan asks for."""
    from latentcomp.models.files import identify_model, locate_model

    teacher = identify_model(locate_model("lab")).weights_sha256
    records = read_published(teacher)
    assert records
    for number, one in records.items():
        assert one.gate_sha256 == phase(number).gate.sha256, "judged by a gate of another day"
        assert one.counts and not one.thin and one.made


def test_phase_4_may_begin_on_a_fresh_install():
    from latentcomp.models.files import identify_model, locate_model

    records = read_published(identify_model(locate_model("lab")).weights_sha256)
    assert missing(4, records) == ()
    assert read_published("0" * 64) == {} and read_published(None) == {}
