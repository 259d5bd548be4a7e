"""The table of single layers quotes its files, and says so where one is missing."""

import json
import shutil

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.tools.control_block import DEEPEST, LAYERS, control_block
from latentcomp.tools.publish import RESULT


@pytest.fixture
def results(tmp_path):
    (tmp_path / "attempts").mkdir()
    for name in (DEEPEST, *(f"attempts/lab4_control_layer_{-layer}.json" for layer in LAYERS)):
        shutil.copy(RESULT.parent / name, tmp_path / name)
    return tmp_path


def test_a_figure_of_a_file_is_the_one_that_is_shown(results):
    file = results / "attempts" / "lab4_control_layer_18.json"
    record = json.loads(file.read_text())
    record["overall"]["retention"]["compressed"] |= {"point": 0.125, "low": 0.1, "high": 0.15}
    file.write_text(json.dumps(record))
    lines = control_block(results).splitlines()
    assert "| -18 | 0.125 [0.100, 0.150] |" in lines
    (other,) = (line for line in lines if line.startswith("| -30 |"))
    assert "0.125" not in other
    assert "Verdicts: passed: 1, 4; inconclusive: 2, 3." in lines[-1]


def test_a_file_that_is_missing_is_named(results):
    (results / DEEPEST).unlink()
    with pytest.raises(LatentcompError, match="ladder_lab4_deepest"):
        control_block(results)
