"""The published figures on real text come from the kept measurements of a run, and no others."""

import json

import pytest

from latentcomp.commands.utilisation import write_costs
from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.utilisation.measure import Costs
from latentcomp.evaluate.utilisation.result import UtilisationResult, figures_of
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.tools import real_text

from .test_utilisation import NATS, rows_of

CORPUS = "ab" * 32


def keep(run, seed, ratio, nats, corpus=CORPUS, name="made"):
    """A measurement as `latentcomp utilisation` keeps it."""
    rows = rows_of({**NATS, "compressed": nats}, documents=20)
    folder = run / "trials" / "real" / f"seed-{seed}" / "utilisation" / f"{name}-{ratio:g}x"
    write_costs(folder / "costs.parquet", Costs(rows))
    result = UtilisationResult(
        name=f"real/seed-{seed}", corpus=Source(sha256=corpus), **figures_of(rows, None, seed=0)
    )
    result.model_copy(update={"ratio": ratio}).write(folder / "utilisation.json")


def test_ratios_and_seeds_of_one_corpus_are_summed_up(tmp_path):
    for seed, nats in ((0, 2.0), (1, 1.6)):
        keep(tmp_path, seed, 4.0, nats)
        keep(tmp_path, seed, 8.0, 3.0)
        keep(tmp_path, seed, 4.0, 4.9, corpus="cd" * 32, name="another")
    out = tmp_path / "real_text.json"
    line = [str(tmp_path), "--recipe", "real", "--corpus", CORPUS[:8], "--out", str(out)]
    real_text.main(line)
    record = json.loads(out.read_text())
    headline = record["headline"]["frozen"]
    assert set(headline) == {"4", "8"}
    assert headline["4"]["ce_utilisation"] == pytest.approx(0.8)
    assert headline["8"]["ce_utilisation"] == pytest.approx(0.5)
    assert headline["4"]["shuffled"] == pytest.approx(-0.125)
    assert headline["4"]["low"] < 0.8 < headline["4"]["high"]
    assert record["ratios"]["4"]["seeds"] == [0, 1] and record["corpus"]["sha256"] == CORPUS
    assert set(record["provenance"]["inputs"]) == {
        f"{ratio}x/seed-{seed}" for ratio in (4, 8) for seed in (0, 1)
    }


def test_what_was_not_measured_names_the_command(tmp_path):
    with pytest.raises(LatentcompError, match="latentcomp utilisation --recipe real"):
        real_text.measured_on(RunFolder(tmp_path), "real", CORPUS)
