"""The training curve: valid JSON also where training is not finite, truncated on resume."""

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from latentcomp.train.log import CurveLog, read_curve

BAD = [math.nan, math.inf, -math.inf]


def strict(line):
    """Parse as a standard JSON parser does: `NaN` and `Infinity` are errors."""

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    return json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize("value", BAD)
def test_a_figure_that_is_not_finite_is_null_in_the_file_and_raw_in_tensorboard(tmp_path, value):
    log = CurveLog(tmp_path, 0)
    log.write({"step": 1, "loss": 0.5, "gradient": 2})
    log.write({"step": 2, "loss": value, "gradient": value})
    log.close()
    lines = [strict(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[0] == {"step": 1, "loss": 0.5, "gradient": 2}
    assert lines[1] == {"step": 2, "loss": None, "gradient": None}
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    seen = [event.value for event in events.Scalars("loss")]
    assert seen[0] == 0.5
    assert repr(seen[1]) == repr(value)


@pytest.mark.parametrize("token", ["null", "NaN", "Infinity", "-Infinity"])
def test_both_spellings_are_read_and_become_valid_json_on_resume(tmp_path, token):
    old = f'{{"step": 1, "loss": {token}, "seconds": 1.5}}\n{{"step": 2, "loss": 1.25}}\n'
    (tmp_path / "log.jsonl").write_text(old)
    first, second = read_curve(tmp_path)
    assert not math.isfinite(first["loss"])
    assert isinstance(first["loss"], float)
    assert (first["step"], second) == (1, {"step": 2, "loss": 1.25})
    log = CurveLog(tmp_path, 1)
    log.close()
    assert log.seconds == 1.5
    assert strict((tmp_path / "log.jsonl").read_text()) == {"step": 1, "loss": None, "seconds": 1.5}


def test_the_guard_of_these_tests_refuses_what_python_accepts():
    with pytest.raises(AssertionError, match="NaN"):
        strict('{"loss": NaN}')
