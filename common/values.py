"""Values of options that no option can mean: one check for every command.

Each option checks its own range; what is refused here is what ranges let through: NaN is in every
range, infinity and 1e300 are above every minimum, and a folder may have any name.
"""

from collections.abc import Callable, Iterator
from typing import Any

import typer

from .numbers import refusal


def check_values(command: Any) -> None:  # noqa: ANN401  typer keeps its classes to itself
    """Let a command and its subcommands refuse such values, naming option and value."""
    for each in commands(command):
        for parameter in each.params:
            if not getattr(parameter.process_value, "checks", False):
                parameter.process_value = _checked(parameter)


def commands(command: Any) -> Iterator[Any]:  # noqa: ANN401
    """A command with its subcommands, theirs and so on."""
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from commands(each)


def kind(parameter: Any) -> str:  # noqa: ANN401
    """What a parameter takes, such as `int` or `Path`; where it says so depends on the version."""
    descriptor = getattr(parameter, "type_descriptor", None)
    return str(descriptor.annotation if descriptor else type(parameter.type).__name__)


def _checked(parameter: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    process, is_path = parameter.process_value, "Path" in kind(parameter)

    def checked(context: Any, value: Any) -> Any:  # noqa: ANN401
        processed = process(context, value)
        for each in processed if isinstance(processed, list | tuple) else [processed]:
            if reason := refusal(each, is_path):
                raise typer.BadParameter(reason, ctx=context, param=parameter)
        if is_path:  # before it was made a path, which has single slashes
            for each in value if isinstance(value, list | tuple) else [value]:
                if reason := refusal(each, is_path):
                    raise typer.BadParameter(reason, ctx=context, param=parameter)
        return processed

    checked.checks = True  # type: ignore[attr-defined]  # parameters outlive a command line
    return checked
