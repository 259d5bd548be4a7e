"""Every wrong option of a command line at once: the parser alone ends with the first."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, Final

import typer

from .values import commands

UsageFault: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""What the parser raises; typer has no public name for it, and its place depends on the version."""
_FAULTS: Final = "latentcomp.faults"


def collect_faults(command: Any) -> None:  # noqa: ANN401  typer keeps its classes to itself
    """Let a command and its subcommands go on after a fault, and end with all of them.

    The first is raised, and the others are its notes.
    """
    for each in commands(command):
        if not hasattr(each, "commands") and not hasattr(each.parse_args, "collects"):
            for parameter in each.params:
                parameter.process_value = _noting(parameter)
            each.parse_args = _collecting(each)


def _noting(parameter: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    process = parameter.process_value

    def noted(context: Any, value: Any) -> Any:  # noqa: ANN401
        try:
            return process(context, value)
        except typer.BadParameter as error:
            if _FAULTS not in context.meta:
                raise
            error.ctx, error.param = error.ctx or context, error.param or parameter
            context.meta[_FAULTS].append(error)
            return None

    noted.checks = hasattr(process, "checks")  # type: ignore[attr-defined]
    return noted


def _collecting(command: Any) -> Callable[[Any, list[str]], list[str]]:  # noqa: ANN401
    parse = command.parse_args

    def collecting(context: Any, arguments: list[str]) -> list[str]:  # noqa: ANN401
        if context.resilient_parsing:
            return list(parse(context, arguments))
        faults: list[Exception] = []
        context.meta[_FAULTS] = faults
        given, rest = [*arguments], []
        try:
            rest = parse(context, arguments)
        except UsageFault as error:
            error.ctx = getattr(error, "ctx", None) or context  # type: ignore[attr-defined]
            faults.insert(0, error)
            if hasattr(error, "possibilities"):  # an option that there is not
                _look_at_the_rest(command, parse, context, given, error)
        finally:
            del context.meta[_FAULTS]
        if faults:
            raise _with_notes(faults)
        return list(rest)

    collecting.collects = True  # type: ignore[attr-defined]  # commands outlive a command line
    return collecting


def _look_at_the_rest(
    command: Any,  # noqa: ANN401
    parse: Callable[[Any, list[str]], list[str]],
    context: Any,  # noqa: ANN401
    given: list[str],
    error: Exception,
) -> None:
    """Note what else is wrong with a line that has an unknown option, as far as that is certain."""
    faults = context.meta[_FAULTS]
    known = [name for each in command.get_params(context) for name in _names(each)]
    unknown = [at for at, name in _long_options(given) if name not in known]
    for at in unknown:
        name = given[at].partition("=")[0]
        if name != error.option_name:  # type: ignore[attr-defined]
            near = get_close_matches(name, known)
            faults.append(type(error)(name, possibilities=near, ctx=context))  # type: ignore[call-arg]
    if any(each.param_type_name == "argument" for each in command.params):
        return  # what follows an unknown option may be its value or an argument
    try:
        parse(context, _without(given, unknown))
    except UsageFault as other:
        faults.append(other)


def _names(parameter: Any) -> list[str]:  # noqa: ANN401
    return [*parameter.opts, *parameter.secondary_opts]


def _long_options(given: list[str]) -> Iterator[tuple[int, str]]:
    for at, word in enumerate(given):
        if word == "--":
            return
        if word.startswith("--"):
            yield at, word.partition("=")[0]


def _without(given: list[str], unknown: list[int]) -> list[str]:
    """The words without some options and what looks like their values."""
    dropped = {*unknown}
    for at in unknown:
        if "=" not in given[at] and at + 1 < len(given) and not given[at + 1].startswith("-"):
            dropped.add(at + 1)
    return [word for at, word in enumerate(given) if at not in dropped]


def _with_notes(faults: list[Exception]) -> Exception:
    first, *others = faults
    lines = dict.fromkeys(shown(fault) for fault in others)
    for line in lines:
        if line != shown(first):
            first.add_note(line)
    return first


def shown(fault: Exception) -> str:
    """What the parser says of a fault, without the full stop at its end."""
    text = fault.format_message() if hasattr(fault, "format_message") else str(fault)
    return str(text).replace(": Value error, ", ": ").rstrip(".")
