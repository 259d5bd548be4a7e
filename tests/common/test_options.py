"""One schema for options and request: what a command line gives, and the line that gives it."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from latentcomp.commands.ablations import AblationOptions
from latentcomp.commands.evaluate import EvaluateOptions
from latentcomp.commands.judge import JudgeOptions
from latentcomp.commands.ladder import LadderOptions
from latentcomp.commands.train import ShipOptions, TrainOptions
from latentcomp.common.options import arguments, command

SCHEMAS = (
    TrainOptions,
    EvaluateOptions,
    JudgeOptions,
    LadderOptions,
    AblationOptions,
    ShipOptions,
)


def parsed(schema, line):
    """What the real parser makes of a command line."""
    received: list[Any] = []
    app = typer.Typer()
    app.command()(command(schema, received.append))
    outcome = CliRunner().invoke(app, line)
    assert outcome.exit_code == 0, outcome.output
    (request,) = received
    return request


TEXT = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_=.,/ äλ", min_size=1, max_size=12)
VALUES = {
    int: st.integers(2, 10**6),
    float: st.floats(1, 1e6, allow_nan=False),
    bool: st.booleans(),
    str: TEXT,
    Path: TEXT.map(Path),
}


def values(schema, field, hint):
    """Values of one field, its default included."""
    kind = get_args(hint)[0]
    option = hint.__metadata__[0]
    default = st.nothing() if field.default is MISSING else st.just(field.default)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    inner = [each for each in get_args(kind) if each is not type(None)]
    if getattr(kind, "__origin__", None) is list:
        return default | st.lists(VALUES[inner[0]], min_size=1, max_size=3)
    base = inner[0] if inner else kind
    if base is bool and getattr(option, "param_decls", None):
        return st.booleans() if field.default is False else default
    if base is float and option.max is not None:
        return default | st.floats(option.min, option.max)
    if base is int:
        return default | st.integers(max(2, int(option.min or 0)), 10**6)
    return default | VALUES[base].map(lambda value: _sane(value))


def _sane(value):
    """A value that starts with a dash is an option to every parser."""
    if isinstance(value, str):
        return f"x{value}"
    return Path(f"x{value}") if isinstance(value, Path) else value


def requests(schema):
    hints = get_type_hints(schema, include_extras=True)
    return st.builds(
        schema, **{field.name: values(schema, field, hints[field.name]) for field in fields(schema)}
    )


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_the_line_of_a_request_gives_that_request(schema):
    @settings(max_examples=15, deadline=None)
    @given(requests(schema))
    def check(request):
        again = parsed(schema, arguments(request, schema))
        for field in fields(schema):
            one, other = getattr(request, field.name), getattr(again, field.name)
            assert one == other or (not one and not other), field.name

    check()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_an_empty_line_gives_the_defaults(schema):
    required = [field for field in fields(schema) if field.default is MISSING]
    line = [part for field in required for part in (f"--{field.name.replace('_', '-')}", "7")]
    request = parsed(schema, line)
    for field in fields(schema):
        if field not in required:
            value = getattr(request, field.name)
            assert value == field.default or (not value and not field.default), field.name
    assert arguments(request, schema) == line


@dataclass(frozen=True, kw_only=True)
class Small:
    """Options of these tests."""

    number: Annotated[int, typer.Option("--number", "-n", help="A number.")] = 3
    on: Annotated[bool, typer.Option(help="On by default.")] = True
    off: Annotated[bool, typer.Option("--off", help="Off by default.")] = False
    names: Annotated[list[str], typer.Option(help="Several.")] = None  # type: ignore[assignment]


def say(request: Small) -> None:
    """What the help says."""


def test_names_defaults_and_help_stand_once():
    app = typer.Typer()
    app.command()(command(Small, say))
    text = CliRunner().invoke(app, ["--help"], terminal_width=200).output
    for words in ("What the help says.", "--number", "A number.", "--no-on", "--off"):
        assert words in text
    assert "--no-off" not in text


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (Small(), []),
        (Small(number=4), ["--number", "4"]),
        (Small(on=False), ["--no-on"]),
        (Small(off=True), ["--off"]),
        (Small(names=["a", "b c"]), ["--names", "a", "--names", "b c"]),
    ],
)
def test_a_line_says_what_is_not_at_its_default(request_, line):
    assert arguments(request_, Small) == line
    assert parsed(Small, line) == request_ or not request_.names


def test_the_command_line_that_users_type_is_that_schema():
    """`cli.py` takes its commands from the schemas, under their long-standing aliases too."""
    options = parsed(TrainOptions, ["--rate", "0.5", "--warm-up", "3", "--flat-until", "0.25"])
    assert (options.lr, options.warmup_steps, options.decay_start) == (0.5, 3, 0.25)
    assert parsed(EvaluateOptions, ["--batch", "3"]).batch_size == 3
