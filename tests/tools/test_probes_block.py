"""The block of the probes: every probe of the file, in words, and no other."""

from pathlib import Path

from latentcomp.evaluate.diagnosis.probes import PROBES
from latentcomp.evaluate.diagnosis.result import Diagnosis
from latentcomp.tools.probes_block import PROBES_FILE, WHAT, probes_block

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_every_probe_has_words():
    assert list(WHAT) == list(PROBES)


def test_every_figure_of_the_file_stands_in_its_row():
    record = Diagnosis.read(RESULTS / PROBES_FILE)
    rows = probes_block(RESULTS).splitlines()[-len(WHAT) :]
    assert len(record.probes) == 2 * len(WHAT)
    for probe in record.probes:
        (row,) = (line for line in rows if line.startswith(f"| {WHAT[probe.of]} |"))
        score = probe.score
        figures = f"{score.point:.3f} [{score.low:.3f}, {score.high:.3f}]"
        assert figures in row.split("|")[2 if probe.source == "latents" else 3]


def test_the_file_is_of_enough_documents_for_its_intervals():
    record = Diagnosis.read(RESULTS / PROBES_FILE)
    assert record.corpus.split == "validation" and record.documents >= 200
    assert record.provenance["git_dirty"] is False
    assert min(probe.score.clusters for probe in record.probes) >= 100
