"""What the lab needs: each check can fail, and says what to do."""

import shutil
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from latentcomp.doctor import engine, install, lab_models, machine
from latentcomp.doctor.settings import Settings
from latentcomp.experiment.shipped import SHIPPED
from latentcomp.models import files as model_files


@pytest.mark.parametrize(
    ("needs", "python", "says"),
    [
        (["pydantic>=2", "numpy"], (3, 12), "Python 3.12, x 1 with the 2 packages that it needs"),
        (["nosuchpackage-here>=1"], (3, 12), "nosuchpackage-here is missing"),
        (["numpy<1"], (3, 12), f"numpy {metadata.version('numpy')} where <1 is needed"),
        (["numpy"], (3, 10), "Python 3.10 where 3.11 is the oldest"),
    ],
)
def test_packages_and_python(needs, python, says):
    finding = install.judge("x 1", map(Requirement, needs), python)
    assert says in finding.observed
    assert (finding.status == "ok") is says.startswith("Python 3.12")
    assert finding.status == "ok" or "pip install" in (finding.next_step or "")


def test_what_is_run_without_an_installation_is_unknown(monkeypatch):
    monkeypatch.setattr(install, "PACKAGE", "nosuchpackage-here")
    assert install.check_install(Settings()).status == "unknown"


def test_models_that_are_damaged_or_of_another_teacher(tmp_path, monkeypatch):
    settings = Settings(shipped=(SHIPPED / "phase-4",))
    assert lab_models.check_models(settings).status == "ok"
    copy = shutil.copytree(SHIPPED / "phase-4", tmp_path / "phase-4")
    weights = next(copy.glob("*/model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    finding = lab_models.check_models(Settings(shipped=(copy,)))
    assert finding.status == "failed" and "model.safetensors" in finding.observed
    folders = model_files.LAB_FOLDERS
    monkeypatch.setitem(folders, "lab", folders["lab-student"])
    finding = lab_models.check_models(settings)
    assert finding.status == "failed" and "reads a teacher with the weights" in finding.observed
    monkeypatch.setitem(folders, "lab", tmp_path / "gone")
    assert "the 'lab' model is not in" in lab_models.check_models(settings).observed


def test_the_disk(tmp_path, monkeypatch):
    runs = Settings(runs=tmp_path / "runs")
    finding = machine.check_disk(runs)
    assert finding.status == "ok" and f"in {tmp_path.resolve()}" in finding.observed
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**6))
    finding = machine.check_disk(runs)
    assert finding.status == "failed" and "0.0 GB free" in finding.observed
    refused = machine.check_disk(Settings(runs=Path("/proc/runs")))
    assert refused.status == "failed" and "/proc cannot be written" in refused.observed


def test_the_device(monkeypatch):
    finding = machine.check_device(Settings(device="cpu"))
    assert finding.status == "ok" and "the CPU computes" in finding.observed
    assert machine.check_device(Settings(device="abacus")).status == "failed"
    monkeypatch.setattr(machine, "memory_bytes", lambda: 10**9)
    small = machine.check_device(Settings(device="cpu"))
    assert small.status == "failed" and "1.0 GB of memory, where the lab takes" in small.observed
    monkeypatch.setattr(machine, "memory_bytes", lambda: None)
    assert machine.check_device(Settings(device="cpu")).status == "ok"


@pytest.mark.parametrize(
    ("version", "reads"),
    [(None, "transformers"), ("0.1.0", "transformers"), ("0.32.1", "vllm")],
)
def test_states_can_be_extracted_with_a_fallback(monkeypatch, version, reads):
    made = version and SimpleNamespace(
        version=Version(version), supported=version == "0.32.1", device="cuda"
    )
    monkeypatch.setattr(engine, "installed_vllm", lambda: made)
    finding = engine.check_engine(Settings())
    assert finding.status == "ok" and finding.details["engine"] == reads
    assert "transformers" in finding.observed
