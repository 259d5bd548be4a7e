"""The published figures on real text come from the kept measurements of a run, and no others."""

import json

import pytest

from latentcomp.commands.utilisation import write_costs
from latentcomp.common.atomic import write_json
from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import CONTINUATION
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.utilisation.measure import Costs
from latentcomp.evaluate.utilisation.result import UtilisationResult, figures_of
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.tools import real_text

from .test_utilisation import NATS, rows_of

CORPUS, LONG = "ab" * 32, "cd" * 32


def keep(run, seed, ratio, nats, corpus=CORPUS, name="made"):
    """A measurement as `latentcomp utilisation` keeps it."""
    length = 1500 if corpus == LONG else 100
    rows = rows_of({**NATS, "compressed": nats}, documents=20)
    # What the headline is over: continuations, here dearer than the questions beside them.
    ends = rows_of(
        {**NATS, "compressed": nats + 0.4}, family=CONTINUATION, documents=20, length=length
    )
    rows = [*rows, *ends]
    folder = run / "trials" / "real" / f"seed-{seed}" / "utilisation" / f"{name}-{ratio:g}x"
    trial = {"dtype": "bfloat16", "provenance": {"argv": ["/somewhere/train"]}}
    write_json(folder.parent.parent / "trial.json", trial)
    write_costs(folder / "costs.parquet", Costs(rows))
    result = UtilisationResult(
        name=f"real/seed-{seed}",
        corpus=Source(sha256=corpus, path="/somewhere/held"),
        **figures_of(rows, None, seed=0),
    )
    result.model_copy(update={"ratio": ratio}).write(folder / "utilisation.json")


def test_ratios_and_seeds_of_one_corpus_are_summed_up(tmp_path):
    for seed, nats in ((0, 2.0), (1, 1.6)):
        keep(tmp_path, seed, 4.0, nats)
        keep(tmp_path, seed, 8.0, 3.0)
        keep(tmp_path, seed, 4.0, 4.9, corpus=LONG, name="another")
    out = tmp_path / "real_text.json"
    line = [
        str(tmp_path),
        "--recipe",
        "real",
        "--corpus",
        CORPUS[:8],
        "--long",
        LONG,
        "--out",
        str(out),
    ]
    real_text.main(line)
    record = json.loads(out.read_text())
    headline, every = record["headline"]["frozen"], record["headline"]["all_families"]
    assert set(headline) == set(every) == {"4", "8"}
    assert headline["4"]["ce_utilisation"] == pytest.approx(0.7)
    assert headline["8"]["ce_utilisation"] == pytest.approx(0.4)
    assert headline["4"]["shuffled"] == pytest.approx(-0.125)
    assert headline["4"]["low"] < 0.7 < headline["4"]["high"]
    assert every["4"]["ce_utilisation"] == pytest.approx(0.75)
    assert record["continuation"]["4"]["seeds"] == [0, 1]
    assert record["corpus"]["sha256"] == CORPUS and record["corpus"]["path"] == "held"
    assert set(record["lengths"]["4"]) == {"0-255", "1024-2047"}
    assert record["lengths"]["4"]["1024-2047"]["questions"] == 40
    assert record["families"]["4"]["fact"]["questions"] == 40
    assert record["training"]["dtype"] == "bfloat16" and record["training"]["argv"] == ["train"]
    assert set(record["provenance"]["inputs"]) == {
        *(f"seed-{seed}/made-{ratio}x" for ratio in (4, 8) for seed in (0, 1)),
        *(f"seed-{seed}/another-4x" for seed in (0, 1)),
    }


def test_what_was_not_measured_names_the_command(tmp_path):
    with pytest.raises(LatentcompError, match="latentcomp utilisation --recipe real"):
        real_text.measured_on(RunFolder(tmp_path), "real", CORPUS)
