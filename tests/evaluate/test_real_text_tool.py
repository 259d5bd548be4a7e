"""The published figures on real text come from the kept measurements of a run, and no others."""

import json

import pytest

from latentcomp.commands.utilisation import write_costs
from latentcomp.common.atomic import write_json
from latentcomp.common.errors import LatentcompError
from latentcomp.corpus.records import CONTINUATION
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.utilisation.adapted import adapted_figures
from latentcomp.evaluate.utilisation.measure import Costs
from latentcomp.evaluate.utilisation.result import UtilisationResult, figures_of
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.tools import real_arms, real_text

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


def test_trainings_with_trained_ends_say_what_of_the_content_they_keep(tmp_path):
    """By the usual ends 3 of 4 nats; between 3 (habit) and 1.4 (one latent a token) half."""
    for seed, nats in ((0, 1.8), (1, 1.8)):
        keep(tmp_path, seed, 4.0, nats)
        keep(tmp_path, seed, 1.0, 1.0, name="whole")
        habit(tmp_path, seed, 3.0)
    line = [str(tmp_path), "--recipe", "real", "--corpus", CORPUS, "--habit", "habit"]
    real_text.main([*line, "--out", str(tmp_path / "real_text.json")])
    record = json.loads((tmp_path / "real_text.json").read_text())
    assert set(record["headline"]["frozen"]) == {"4"}, "one latent a token is an end, no result"
    kept = record["content"]["continuation"]["4"]
    assert kept["utilisation"]["compressed"]["point"] == pytest.approx(0.8 / 1.6)
    assert kept["seeds"] == [0, 1]
    assert record["content"]["all"]["4"]["utilisation"]["compressed"]["point"] > 0.5
    assert any("habit" in name for name in record["provenance"]["inputs"])


def habit(run, seed, nats):
    rows = rows_of({**NATS, "shuffled": nats}, documents=20)
    rows += rows_of({**NATS, "shuffled": nats}, family=CONTINUATION, documents=20)
    folder = run / "trials" / "habit" / f"seed-{seed}" / "utilisation" / "habit-4x"
    write_costs(folder / "costs.parquet", Costs(rows))
    result = UtilisationResult(
        name="habit", corpus=Source(sha256=CORPUS, path="held"), **figures_of(rows, None, seed=0)
    )
    result.model_copy(update={"ratio": 4.0}).write(folder / "utilisation.json")


@pytest.mark.parametrize("lacking", ["whole", "habit"])
def test_an_end_that_was_not_trained_is_named(tmp_path, lacking):
    keep(tmp_path, 0, 4.0, 2.0)
    keep(tmp_path, 1, 4.0, 2.0)
    if lacking != "whole":
        keep(tmp_path, 0, 1.0, 1.0, name="whole")
        keep(tmp_path, 1, 1.0, 1.0, name="whole")
    habit(tmp_path, 0, 3.0)
    words = {"whole": "utilisation --ratio 1", "habit": "training seed 1 at 4x"}[lacking]
    line = [str(tmp_path), "--recipe", "real", "--corpus", CORPUS, "--habit", "habit"]
    with pytest.raises(LatentcompError, match=words):
        real_text.main([*line, "--out", str(tmp_path / "out.json")])


def arm(run, name, ratio, nats, corpus=CORPUS, **extra):
    """A trial of one comparison, measured."""
    costs = {**NATS, "compressed": nats, **extra}
    rows = rows_of(costs, documents=20) + rows_of(costs, family=CONTINUATION, documents=20)
    folder = run / "trials" / name / "seed-0" / "utilisation" / f"{corpus[:8]}-{ratio:g}x"
    write_json(folder.parent.parent / "trial.json", {"overrides": {"arm": name}})
    write_costs(folder / "costs.parquet", Costs(rows))
    result = UtilisationResult(
        name=name, corpus=Source(sha256=corpus, path="held"), **figures_of(rows, None, seed=0)
    )
    result.model_copy(update={"ratio": ratio, "steps": 600}).write(folder / "utilisation.json")


@pytest.fixture
def compared(tmp_path):
    """By the usual ends 5 and 1: habit alone saves half, one latent a token more than the text."""
    run = tmp_path / "run"
    arm(run, "other", 4.0, 3.1, shuffled=3.0)
    arm(run, "whole", 1.0, 0.8)
    arm(run, "all", 4.0, 1.9)
    arm(run, "habit-again", 4.0, 3.0)
    arm(run, "all", 8.0, 2.0, LONG, truncation=3.0, truncation_tail=2.0)
    return run


def test_what_is_kept_between_trained_ends_is_content(compared, tmp_path):
    out = tmp_path / "arms.json"
    line = ["--corpus", CORPUS[:8], "--habit", "other", "--whole", "whole", "--text", LONG[:8]]
    real_arms.main([str(compared), *line, "--out", str(out)])
    record = json.loads(out.read_text())
    kept = record["adapted"]["continuation"]["utilisation"]
    assert set(kept) == {"other 4x", "whole 1x", "all 4x", "habit-again 4x"}
    assert kept["all 4x"]["point"] == pytest.approx(1.1 / 2.2)
    assert kept["habit-again 4x"]["point"] == pytest.approx(0.0), "habit is no content"
    assert kept["whole 1x"]["point"] == pytest.approx(1.0)
    usual = record["trials"]["habit-again 4x"]["continuation"]["utilisation"]["compressed"]
    assert usual["point"] == pytest.approx(0.5), "by the usual ends it looks like half the text"
    assert record["adapted"]["all"]["questions"] == 40
    assert record["trials"]["all 4x"]["training"]["overrides"] == {"arm": "all"}
    assert record["text"] == {
        "8": {
            part: {
                name: pytest.approx(record["text"]["8"][part][name] | {"point": point})
                for name, point in (("truncation", 0.5), ("truncation_tail", 0.75))
            }
            for part in ("continuation", "all")
        }
    }
    assert set(record["provenance"]["inputs"]) == {
        f"{name}/{CORPUS[:8]}-{ratio}x"
        for name, ratio in (("other", 4), ("whole", 1), ("all", 4), ("habit-again", 4))
    }


def test_a_trial_of_several_ratios_is_the_ceiling_at_its_lowest(compared, tmp_path):
    arm(compared, "drawn", 1.0, 0.8)
    arm(compared, "drawn", 4.0, 2.0)
    arm(compared, "a-trial-without-pieces", 8.0, 2.0, LONG)
    arm(compared, "a-trial-without-pieces", 4.0, 2.0)
    out = tmp_path / "levers.json"
    line = ["--corpus", CORPUS[:8], "--habit", "other", "--whole", "drawn", "--text", LONG[:8]]
    real_arms.main([str(compared), *line, "--out", str(out)])
    record = json.loads(out.read_text())
    kept = record["adapted"]["continuation"]["utilisation"]
    assert kept["drawn 1x"]["point"] == pytest.approx(1.0)
    assert kept["drawn 4x"]["point"] == pytest.approx(1.0 / 2.2)
    assert record["text"]["8"]["all"]["truncation"]["point"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"--habit": "nothing"}, "no measured trial 'nothing'; there are all, habit-again, other"),
        ({"--corpus": "ef" * 32}, "latentcomp utilisation --recipe all"),
        ({"--text": "ef" * 32}, "latentcomp utilisation --arms truncation,truncation_tail"),
    ],
)
def test_what_a_comparison_lacks_is_named(compared, given, words):
    options = {"--corpus": CORPUS, "--habit": "other", "--whole": "whole", "--text": LONG} | given
    line = [part for pair in options.items() for part in pair]
    with pytest.raises(LatentcompError, match=words):
        real_arms.main([str(compared), *line])


def test_ends_of_other_answers_are_refused(compared):
    rows = real_text.costs_of(next((compared / "trials/all/seed-0/utilisation").glob("*4x")))
    fewer = [row for row in rows if row.document_id != "d0"]
    with pytest.raises(ValueError, match="did not weigh the same answers"):
        adapted_figures(rows, fewer, {"all": rows}, seed=0)
