"""What `pip install latentcomp` gives: the wheel alone, in an empty environment, does it all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COMMANDS = [
    "extract --run run --documents 8 --seed 3 --tokens-per-second 1000",
    "train --phase 4 --run run --steps 2 --batch-size 2 --start shipped --skip-order "
    "--set model.allocation=learned_mass --set model.start=identity --set model.end_norm=false",
    "evaluate --phase 4 --run run --documents 2 --seed 9",
    "report --run run",
    "corpus --documents 2 --split test --seed 5 --out held",
    "compress held --out held.latents",
    "ask held --latents held.latents --most 2",
    "compress held --run run --out own.latents",
    "doctor --device cpu",
]
PYTHON = """
from pathlib import Path
from latentcomp import Compressor, Latents, Reasoner, Store
import latentcomp
assert "site-packages" in latentcomp.__file__, latentcomp.__file__
print(Store.open("run"), Store.open("run")[0].torch(-6).shape)
print(Compressor.from_pretrained("run/trials/phase-4/seed-0"))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Folder of the programs of an environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("install")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(pip, check=True)
    (wheel,) = folder.glob("latentcomp-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    bin_ = folder / "venv" / "bin"
    ran = subprocess.run(
        [bin_ / "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt", wheel],
        capture_output=True,
        text=True,
    )
    if ran.returncode and re.search("No matching distribution|connection", ran.stderr):
        pytest.skip("no package index is at hand")
    assert ran.returncode == 0, ran.stderr
    return bin_


@pytest.mark.slow
def test_the_wheel_runs_the_four_commands_and_the_python_names(program, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for line in [*COMMANDS, None]:
        given = [program / "python", "-c", PYTHON] if line is None else [program / "latentcomp"]
        ran = subprocess.run(
            [*given, *(line or "").split()],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ran.returncode == 0, (line, ran.stdout[-500:], ran.stderr[-2000:])
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert "layers -30, -18, -6" in ran.stdout


@pytest.mark.slow
def test_the_models_of_generator_3_do_not_come_with_it_and_that_is_one_line(program, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    line = ["extract", "--teacher", "lab3", "--documents", "2", "--run", "older"]
    ran = subprocess.run(
        [program / "latentcomp", *line], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert ran.returncode == 2 and "a checkout of its repository" in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr and not (tmp_path / "older" / "store").exists()
