"""`evaluate --backend vllm`: refused in a line where it cannot serve, before anything is read."""

import subprocess
import sys
from importlib import metadata

import pytest

from latentcomp.commands import answering
from latentcomp.models import vllm_versions

from ..extract.command_line import contents, run_command


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Sets which vLLM is installed; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    version = metadata.version

    def install(number=None):
        def of(name):
            if name not in vllm_versions.DISTRIBUTIONS:
                return version(name)
            if number is None or name != "vllm":
                raise metadata.PackageNotFoundError(name)
            return number

        monkeypatch.setattr(metadata, "version", of)

    return install


@pytest.mark.parametrize("more", [(), ("--teacher-only",), ("--phase", "1")])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (None, "vLLM is not installed: pip install 'latentcomp[vllm]'"),
        ("0.31.0", "vLLM 0.31.0 is installed, supported is >=0.26,<0.27 and >=0.32,<0.33"),
    ],
)
def test_without_a_vllm_that_can_be_used(installed, capsys, tmp_path, number, reason, more):
    installed(number)
    error = run_command(capsys, "evaluate", "--backend", "vllm", *more).error
    assert error.startswith(f"error: --backend vllm: {reason}")
    assert "`make test-vllm`" in error and error.endswith("or give --backend transformers")
    assert contents(tmp_path) == {}


def test_that_is_known_before_torch_is_imported():
    line = (
        "import sys; from latentcomp.models.vllm_versions import require_vllm_installed; "
        "print('torch' in sys.modules, 'vllm' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


def test_latents_at_the_positions_of_their_tokens(installed, capsys, tmp_path, monkeypatch):
    """The shipped compressor of phase 4 places them so; no model is loaded for the answer."""
    installed("0.32.0")
    monkeypatch.setattr("latentcomp.commands.evaluation.load_models", None)
    error = run_command(capsys, "evaluate", "--backend", "vllm").error
    assert "phase-4/shipped: its latents stand at the positions of their tokens" in error
    assert error.endswith(
        "vLLM numbers the positions of a prompt itself; give --backend transformers"
    )
    assert contents(tmp_path) == {}


def test_an_unknown_backend(capsys):
    ran = run_command(capsys, "evaluate", "--backend", "sglang")
    assert ran.code == 2 and "sglang" in ran.err


def test_every_backend_of_the_option_is_there():
    from typing import get_args, get_type_hints

    from latentcomp.commands.evaluate_options import EvaluateOptions

    hint = get_type_hints(EvaluateOptions)["backend"]
    assert set(get_args(hint)) == set(answering._BACKENDS)
