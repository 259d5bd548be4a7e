"""`latentcomp ceiling` as a user meets it: its record, going on after a kill, its refusals."""

import json

import pytest

from latentcomp.commands import interface
from latentcomp.evaluate.interface import measure
from latentcomp.evaluate.interface.result import InterfaceResult
from latentcomp.reasoner.optimised import read_optimised

from ..extract.command_line import contents, run_command
from ..train import tiny

SMALL = ("--documents", 3, "--batch-size", 2, "--steps", 2, "--questions", 1, "--device", "cpu")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return tiny.save_model(tmp_path_factory.mktemp("reader") / "tiny", blocks=4)


@pytest.fixture
def ceiling(capsys, reader, tmp_path):
    """Runs the command into one folder; returns how it ended."""

    def run(*options):
        base = ("ceiling", "--reasoner", reader, "--out", tmp_path / "out")
        return run_command(capsys, *base, *SMALL, *options)

    return run


@pytest.fixture
def story(monkeypatch):
    """Generated documents are short."""
    from latentcomp.corpus.chronicle import presets

    small = presets.Preset("lab", (2, 3), (10, 99), 1.0, 2, 2, True)
    monkeypatch.setitem(presets.PRESETS, "lab", small)


@pytest.mark.usefixtures("story")
def test_the_record_of_a_measurement(ceiling, tmp_path):
    ran = ceiling("--ratio", 4, "--ratio", 16, "--json", tmp_path / "copy.json")
    assert ran.code == 0, ran.err
    assert "seen" in ran.out and "held out" in ran.out
    result = InterfaceResult.read(tmp_path / "copy.json")
    assert (tmp_path / "out" / "ceiling.json").read_text() == (tmp_path / "copy.json").read_text()
    assert (result.documents, result.settings.steps, list(result.ratios)) == (3, 2, ["4", "16"])
    assert result.corpus.split == "validation" and result.corpus.generator == 3
    assert result.provenance["inputs"].keys() == {"reasoner", "corpus"}
    for name, ratio in result.ratios.items():
        assert ratio.tokens_per_latent == pytest.approx(float(name), rel=0.1)
        assert ratio.held_out is not None
        for side in (ratio.optimised_for, ratio.held_out):
            arms = {"ceiling", "floor", "optimised", "start", "shuffled"}
            assert side.overall.accuracy.keys() == arms
            assert side.overall.accuracy["optimised"].clusters == 3
        assert [step for step, _ in ratio.curve] == [0, 1]
        assert ratio.curve[1][1] < ratio.curve[0][1]


@pytest.mark.usefixtures("story")
def test_a_killed_measurement_goes_on_with_the_next_batch(ceiling, monkeypatch, tmp_path):
    """Three documents in batches of two are one batch: so four, and the second one fails."""
    options = ("--documents", 4, "--save-latents", tmp_path / "latents")
    measured: list[list[str]] = []

    def counted(lm, documents, *rest):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append([one.document_id for one in documents])
        return measure.measure(lm, documents, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(interface, "measure", counted)
        assert ceiling(*options).code == 130
    assert not (tmp_path / "latents").exists()
    before = contents(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(interface, "measure", counted)
        measured.append([])
        assert ceiling(*options).code == 0
    assert len(measured) == 3 and not {*measured[0]} & {*measured[2]}
    after = contents(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    optimised = read_optimised(tmp_path / "latents")
    assert sorted(optimised.latents) == sorted(measured[0] + measured[2])
    record = optimised.record
    assert (record.ratio, record.positions, record.settings["steps"]) == (8.0, "tokens", 2)
    assert (
        record.provenance["git_commit"]
        == json.loads(after["ceiling.json"])["provenance"]["git_commit"]
    )


@pytest.mark.usefixtures("story")
def test_a_folder_of_other_options_is_refused(ceiling):
    assert ceiling().code == 0
    for options, says in (
        (("--lr", 0.5), "begun with lr 1.0, now 0.5"),
        (("--seed", 2), "begun with corpus"),
        (("--batch-size", 3), "begun with batch_size 2, now 3"),
    ):
        assert says in ceiling(*options).error


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ratio", 4, "--ratio", 8, "--save-latents", "x"], "holds latents of one ratio"),
        (["--start", "nowhere"], "give embeddings, states, random, or the folder"),
        (["--start", "states"], "layer -30 does not exist"),
        (["--positions", "elsewhere"], "--positions elsewhere"),
        (["--split", "sideways"], "unknown split 'sideways'"),
        (["--beta2", 1.0], "--beta2 1.0"),
        (["--generator", 5], "generator 5"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("story")
def test_what_cannot_be_measured_is_one_line(ceiling, tmp_path, options, says):
    assert says in ceiling(*options).error
    assert not (tmp_path / "out").exists()
