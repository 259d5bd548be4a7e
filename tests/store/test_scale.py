"""At the size it is for: memory stays, work grows as the store does.

All of it (`benchmarks/scale_store.py`) is `make test-scale`; counts of work at two sizes are fast.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from latentcomp.store.format import ledger, seal
from latentcomp.store.format.layout import Layout
from latentcomp.store.places.open import place_of
from latentcomp.tools.scale import BLOCK, written

from . import samples

ROOT = Path(__file__).parents[2]
LIMIT = 2e9
"""Bytes that a process may hold, torch and all."""
JUDGED = ("job", "open unfinished", "resume and seal", "verify", "append")


def steps_module():
    path = ROOT / "benchmarks" / "scale_steps.py"
    spec = importlib.util.spec_from_file_location("scale_steps", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_growth(growth):
    """Twice the store: at most about twice the questions, whatever is asked."""
    small, large = growth["shards"]
    assert large > 1.9 * small
    for step, (before, after) in growth["by_step"].items():
        for question, count in after.items():
            assert count <= 2.1 * before.get(question, 0) + 10, (step, question)
        reads = after.get("read", 0) + after.get("open", 0)
        assert reads <= 3.1 * large + 60, (step, after)
        assert after.get("size", 0) < 40, "sizes are listed, not asked one by one"
    assert growth["by_step"]["append"][1]["write"] < 20, "an append writes no file a shard"


def test_twice_the_documents_are_twice_the_questions(tmp_path):
    check_growth(steps_module().growth(None, 300))


def test_sums_of_shards_are_not_held_together(tmp_path):
    """Sealing and an unfinished store combine statistics one shard after another."""
    wide = samples.manifest(teacher=samples.teacher(hidden_size=1024), shard_tokens=16)
    peaks = []
    for count in (10, 40):
        path = tmp_path / str(count)
        lengths = [16] * count
        samples.write(path, [*lengths, 16], wide, stop_before=count)
        place = place_of(path)
        records, layout = ledger.committed(place), Layout(wide, 16 * (count + 1))
        assert len(records) == count
        seal.combine(place, layout, records)
        tracemalloc.start()
        seal.combine(place, layout, records)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one = np.zeros((3, 3, 1024)).nbytes
    assert peaks[1] < peaks[0] + one
    assert peaks[1] < 8 * one


def result(path=ROOT / "docs" / "results" / "scale_store.json"):
    return json.loads(path.read_text())


def check_size(record):
    assert record["documents"] >= 1_000_000 and record["shards"] >= 130_000
    for step in JUDGED:
        assert record["steps"][step]["peak_bytes"] < LIMIT, step
    assert record["steps"]["verify"]["shards"] == record["shards"]
    assert record["steps"]["verify"]["earlier"] > record["shards"] / 4
    assert record["steps"]["append"]["documents_written"] == 1
    check_growth(record["growth"])


def test_the_committed_figures_are_of_the_size_and_below_the_limit():
    record = result()
    check_size(record)
    assert record["provenance"]["git_commit"] and not record["provenance"]["git_dirty"]


def test_the_page_says_what_the_committed_figures_say():
    page = (ROOT / "docs" / "large_store.md").read_text()
    assert written(page, ROOT / "docs" / "results") == page
    assert BLOCK.replace(page, "another figure") != page


@pytest.mark.scale
def test_a_million_documents_in_a_hundred_and_thirty_thousand_shards(tmp_path):
    out = tmp_path / "scale_store.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "scale_store.py"), "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / ".dev")}
    subprocess.run([*command, "--folder", str(tmp_path)], env=environment, check=True)
    check_size(result(out))
