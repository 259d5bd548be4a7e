"""Every number and every path of every command: what none of them can mean is one line."""

from typing import Any

import pytest
import typer

from latentcomp import cli
from latentcomp.common.all_faults import UsageFault
from latentcomp.common.errors import RecipeError
from latentcomp.common.numbers import LARGEST, refusal
from latentcomp.common.values import check_values, commands, kind
from latentcomp.train.recipe import parse_set

IMPOSSIBLE = ("inf", "-inf", "nan", "1e300", "-1e300", str(10**30))


@pytest.fixture(scope="module")
def options():
    """(context, parameter) of every number and path that the program takes, by what it takes."""
    program = typer.main.get_command(cli.app)
    check_values(program)
    taken: dict[str, list[Any]] = {"number": [], "path": []}
    for command in commands(program):
        context = command.make_context(command.name, [], resilient_parsing=True)
        for parameter in command.params:
            if "Path" in kind(parameter):
                taken["path"].append((context, parameter))
            elif any(word in kind(parameter).lower() for word in ("float", "int")):
                taken["number"].append((context, parameter))
    return taken


def test_no_number_of_any_command_takes_it(options):
    assert len(options["number"]) > 30
    for context, parameter in options["number"]:
        for value in IMPOSSIBLE:
            given = [value] if parameter.multiple else value
            with pytest.raises(UsageFault):
                parameter.process_value(context, given)
                pytest.fail(f"{context.command_path} {parameter.opts} takes {value}")


def test_no_path_of_any_command_is_an_address(options):
    assert len(options["path"]) > 10
    for context, parameter in options["path"]:
        for value in ("s3://bucket/run", "file:///tmp/run", "gs://a"):
            several = getattr(parameter, "multiple", False) or parameter.nargs == -1
            given = [value] * max(1, parameter.nargs) if several or parameter.nargs > 1 else value
            with pytest.raises(UsageFault, match="is an address"):
                parameter.process_value(context, given)
                pytest.fail(f"{context.command_path} {parameter.opts} takes {value}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "--run", "s3://bucket/run"], "s3://bucket/run is an address"),
        (["doctor", "--card-gb", "inf"], "inf is no finite number"),
        (["extract", "--tokens", "nan", "--dry-run"], "--tokens"),
        (["extract", "--tokens", "1e300", "--dry-run"], "1e+300 is beyond 1e+15"),
        (["corpus", "--seed", str(10**30), "--out", "x"], "is beyond 2**63 - 1"),
    ],
)
def test_it_is_one_line_and_nothing_is_written(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "see latentcomp" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_meant_is_taken():
    for value in (0, -1, 2**63 - 1, 0.0, 1e-300, LARGEST, -LARGEST, "inf", "a://b", None, True):
        assert refusal(value) is None
    assert refusal("C:/folder", True) is None


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999", "1e300", str(10**30)])
def test_no_field_of_a_recipe_takes_it(value):
    with pytest.raises(RecipeError, match="--set optimiser.lr=.*(finite|beyond)"):
        parse_set([f"optimiser.lr={value}"])
    assert parse_set(["a=1e-3", "b=NaN is a word", "c=[1, 2]"])["a"] == 1e-3
