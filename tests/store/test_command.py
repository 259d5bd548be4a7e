"""The commands over stores that test_cli.py does not cover."""

import json

import pytest
from safetensors import safe_open

from latentcomp import cli
from latentcomp.store.tools.verify import verify

from . import samples


@pytest.fixture
def store(tmp_path):
    samples.write(tmp_path / "run" / "store")
    return tmp_path / "run"


def test_stats_are_json(store, capsys):
    assert cli.run(["store", "stats", "--run", str(store)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] == sum(samples.LENGTHS)
    assert [layer["blocks_completed"] for layer in found["layers"]] == list(samples.BLOCKS)


def test_export_writes_the_layers_asked_for(store, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["store", "export", "--run", str(store), "--out", str(out), "--layers", "43"]
    assert cli.run(command) == 0
    assert "index.json" in capsys.readouterr().out
    with safe_open(out / "000001.safetensors", "pt") as opened:
        expected = samples.states(1, samples.LENGTHS[1])[:, 2:]
        assert opened.get_tensor("hidden_states").equal(expected)


def test_merge_joins_runs(store, tmp_path):
    other = tmp_path / "other"
    samples.write(other)
    out = tmp_path / "merged"
    assert cli.run(["store", "merge", str(store), str(other), "--out", str(out)]) == 0
    assert verify(out).documents == len(samples.LENGTHS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "--layers", "a"], "--layers 'a': give blocks completed"),
        (["export", "--layers", "42"], "no layer after 42 blocks in this store: it has 19, 31, 43"),
    ],
)
def test_mistakes_are_one_line(store, tmp_path, capsys, arguments, message):
    command = ["store", *arguments, "--run", str(store), "--out", str(tmp_path / "out")]
    assert cli.run(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
