"""What is said of small samples, from the committed simulation and from a short run of it."""

import importlib.util
import json
from pathlib import Path

from latentcomp.evaluate.table import FEW_DOCUMENTS

ROOT = Path(__file__).parents[2]


def simulation():
    path = ROOT / "benchmarks" / "interval_coverage.py"
    spec = importlib.util.spec_from_file_location("interval_coverage", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def results():
    return json.loads((ROOT / "docs" / "results" / "interval_coverage.json").read_text())


def recorded():
    read = results()
    return read["nominal"], {int(n): share for n, share in read["by_documents"].items()}


def test_few_documents_cover_less_and_many_what_they_say():
    nominal, shares = recorded()
    assert min(shares) < FEW_DOCUMENTS <= max(shares)
    for documents, share in shares.items():
        short = (nominal - share["covered"]) / share["standard_error"]
        assert short > 2 if documents < FEW_DOCUMENTS else short < 3


def test_intervals_over_enough_documents_hold_the_truth_93_to_97_times_of_100():
    _, shares = recorded()
    enough = [share["covered"] for documents, share in shares.items() if documents >= FEW_DOCUMENTS]
    assert len(enough) >= 3 and all(0.93 <= covered <= 0.97 for covered in enough)


def test_intervals_over_documents_and_seeds_hold_it_at_least_as_often():
    """Never under 93: three seeds say little of their spread, so rather more than 97."""
    for seed_sd, shares in results()["null_passes"]["by_seed_sd"].items():
        assert shares["covered"] >= 0.93
        if float(seed_sd) >= 0.02:
            assert shares["covered_documents_only"] < 0.90, "why seeds are counted"


def test_the_simulation_gives_what_was_recorded():
    """Fewer repeats, another seed: within four standard errors of so few."""
    _, shares = recorded()
    repeats = 200
    share = simulation().covered(8, repeats, seed=1)
    expected = shares[8]["covered"]
    assert abs(share - expected) < 4 * (expected * (1 - expected) / repeats) ** 0.5


def test_a_gain_at_its_threshold_passes_no_more_often_than_its_name_whatever_seeds_do():
    shares = results()["null_passes"]
    for seed_sd, passes in shares["by_seed_sd"].items():
        assert passes["gate"] <= passes["documents_and_seeds"] <= shares["nominal"]
        if float(seed_sd) >= 0.02:
            assert passes["documents_only"] > 2 * shares["nominal"], "why seeds are counted"


def test_the_simulation_of_seeds_gives_what_was_recorded():
    """Few repeats, another seed: within four standard errors of so few."""
    expected = results()["null_passes"]["by_seed_sd"]["0.03"]["documents_only"]
    repeats = 60
    passes = simulation().null_passes(0.03, repeats, seed=1, resamples=200)
    error = (expected * (1 - expected) / repeats) ** 0.5
    assert abs(passes["documents_only"] - expected) < 4 * error
    assert passes["documents_and_seeds"] < passes["documents_only"]
    assert passes["covered"] > passes["covered_documents_only"]
