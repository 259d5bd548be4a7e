"""`latentcomp diagnose` as a user meets it."""

import sys
from types import SimpleNamespace

import pytest

from latentcomp.commands import diagnosis
from latentcomp.commands.diagnosis import _beside
from latentcomp.corpus.chronicle import presets
from latentcomp.evaluate.diagnosis.result import Diagnosis
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.models.loading import load_causal_lm

from ..experiment import runs
from ..extract.command_line import run_command
from ..train import tiny


@pytest.fixture
def diagnose(capsys, tmp_path, monkeypatch):
    """Runs the command on a checkpoint of a tiny model that was never trained."""
    small = presets.Preset("lab", (2, 3), (10, 99), 1.0, 2, 2, True)
    monkeypatch.setitem(presets.PRESETS, "lab", small)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    folder = tiny.save_model(tmp_path / "tiny", blocks=4)
    model = load_causal_lm(str(folder))
    monkeypatch.setattr(runs, "SPEC", tiny.spec_of(model))
    run = RunFolder(tmp_path / "run")
    runs.save_trial(run, tiny.RECIPE)

    def run_it(*options):
        base = ("diagnose", "--run", run.path, "--teacher", folder, "--device", "cpu")
        return run_command(capsys, *base, "--documents", 4, "--questions", 1, *options)

    return run_it


def test_the_record_of_a_diagnosis(diagnose, tmp_path):
    ran = diagnose()
    assert ran.code == 0, ran.err
    assert "pip install 'latentcomp[analysis]'" in ran.out
    (file,) = (tmp_path / "run" / "trials" / "phase-4" / "seed-0").glob("diagnosis-4x-*.json")
    result = Diagnosis.read(file)
    assert (result.checkpoint, result.documents, result.ratio) == ("phase-4/seed-0", 4, 4.0)
    assert result.corpus.split == "validation" and result.probes == ()
    assert [depth.blocks_completed for depth in result.depths] == [0, 1, 2, 3]
    assert result.layers is not None
    assert [one.layer.blocks_completed for one in result.layers.layers] == [1, 3]
    assert result.localization is not None and len(result.localization.depths) == 4
    assert "share of the attention on latents" in ran.out
    assert result.provenance["inputs"].keys() == {"checkpoint", "teacher", "reasoner", "corpus"}
    again = tmp_path / "again.json"
    assert diagnose("--json", again).code == 0
    assert Diagnosis.read(again).layers == result.layers


def test_probes_alone_ask_nothing(diagnose, tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis, "require_sklearn", lambda: None)
    monkeypatch.setattr(diagnosis, "probe", lambda rows, seed: ())
    ran = diagnose("--probes-only", "--json", tmp_path / "alone.json")
    assert ran.code == 0, ran.err
    result = Diagnosis.read(tmp_path / "alone.json")
    assert (result.depths, result.layers, result.probes) == ((), None, ())
    assert "without a layer" not in ran.out


def test_probes_alone_without_what_makes_them_are_one_line(diagnose, tmp_path):
    """Before anything is read, and no record without a probe in it."""
    file = tmp_path / "alone.json"
    file.write_text("of an earlier run")
    ran = diagnose("--probes-only", "--json", file)
    assert ran.code == 2 and "pip install 'latentcomp[analysis]'" in ran.error
    assert file.read_text() == "of an earlier run"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--training-seed", 3], "was not trained with the seed 3"),
        (["--recipe", "none"], "none has no checkpoint in this run"),
        (["--split", "sideways"], "unknown split"),
        (["--teacher", "lab"], "trained with teacher 'tiny'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_looked_into_is_one_line(diagnose, options, says):
    assert says in diagnose(*options).error


def test_a_second_diagnosis_is_put_beside_the_first(tmp_path):
    """It was overwritten by one of other documents."""
    options = SimpleNamespace(run=tmp_path)
    subject = SimpleNamespace(trial=None, sha256="abcdefgh" * 8)
    names = []
    for _ in range(3):
        path = _beside(options, subject, 4.0)  # type: ignore[arg-type]
        path.write_text("{}")
        names.append(path.name)
    stem = "diagnosis-4x-abcdefgh"
    assert names == [f"{stem}.json", f"{stem}-2.json", f"{stem}-3.json"]
