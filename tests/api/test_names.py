"""What `import latentcomp` gives, and what it leaves alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import latentcomp
from latentcomp import api
from latentcomp.api.pretrained import open_compressor
from latentcomp.models.names import shown_name

ROOT = Path(__file__).resolve().parents[2]
HEAVY = "torch", "transformers", "numpy", "pyarrow", "pydantic", "rich", "typer"


def test_every_name_is_there_and_is_the_same_in_both_places():
    assert set(latentcomp.__all__) - {"__version__"} == set(api.__all__) - {"evaluate"}
    for name in api.__all__:
        assert getattr(api, name).__doc__
        if name != "evaluate":
            assert getattr(latentcomp, name) is getattr(api, name)
    assert set(latentcomp.__all__) == set(dir(latentcomp))


def test_the_stub_names_what_the_module_does():
    tree = ast.parse((ROOT / "__init__.pyi").read_text())
    stub = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert stub == set(latentcomp.__all__) - {"__version__"}


@pytest.mark.parametrize("module", [latentcomp, api])
def test_other_names_are_none(module):
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def imported(code):
    """Which heavy packages a new process has imported after this code."""
    shown = f"import sys; {code}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", shown],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / ".dev")},
    )
    return ran.stdout.split()


def test_the_import_is_light():
    assert imported("import latentcomp; latentcomp.__version__; dir(latentcomp)") == []
    assert imported("from latentcomp import Document, Question, LatentcompError") == []


def test_models_of_the_lab_have_the_name_that_users_know():
    """A checkpoint records what its teacher was called in training, and its hash."""
    record = open_compressor("lab3-4x").weights.state.spec.teacher
    assert record.name != "lab3" and shown_name(record) == "lab3"
    other = record.model_copy(update={"weights_sha256": "0" * 64, "name": "mine"})
    assert shown_name(other) == "mine"


def test_the_compressor_that_ships_is_of_the_lab_teacher():
    assert shown_name(open_compressor("lab-4x").weights.state.spec.teacher) == "lab"
    shipped = latentcomp.Compressor.from_pretrained("lab-4x")
    assert len(set(shipped.ratios)) == len(shipped.ratios) and shipped.ratios[0] == 4.0
    assert "4, 8, 16, 2 tokens per latent" in repr(shipped)
