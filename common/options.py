"""One schema for a command's options and its request: a frozen dataclass, read by typer.

The fields are `Annotated[type, typer.Option(...)]`; names, types, defaults and help stand once.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_type_hints

RequestT = TypeVar("RequestT")

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
"""Precision of a model that is loaded; `auto` is what models/precision.py says."""


def command(
    schema: type[RequestT],
    action: Callable[[RequestT], None],
    check: Callable[[RequestT], None] = lambda request: None,
) -> Callable[..., None]:
    """A function with one keyword for each field of `schema`, which calls `action` with it.

    Args:
        schema: a dataclass whose fields are annotated as typer wants parameters.
        action: what the command does; its docstring is the command's help.
        check: called before it, so that what is wrong is told before anything heavy is imported.
    """
    hints = get_type_hints(schema, include_extras=True)
    fields = [field for field in dataclasses.fields(schema) if field.init]  # type: ignore[arg-type]

    def run(**given: Any) -> None:  # noqa: ANN401  typed by the schema
        request = schema(**given)
        check(request)
        action(request)

    run.__name__ = action.__name__
    run.__doc__ = action.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter(field, hints[field.name]) for field in fields]
    )
    run.__annotations__ = {field.name: hints[field.name] for field in fields}
    return run


def _parameter(field: "dataclasses.Field[Any]", hint: object) -> inspect.Parameter:
    default: object = inspect.Parameter.empty
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
    )


def arguments(request: object, schema: type) -> list[str]:
    """The command line that gives this request: every field that is not at its default.

    Args:
        request: an instance of `schema`.
        schema: as `command` takes it.
    """
    line: list[str] = []
    hints = get_type_hints(schema, include_extras=True)
    for field in dataclasses.fields(schema):
        value = getattr(request, field.name)
        if value == field.default:
            continue
        names = _names(field.name, hints[field.name])
        if isinstance(value, bool):
            on, _, off = names[0].partition("/")
            line.append(on if value else off or f"--no-{on.removeprefix('--')}")
        else:
            for each in value if isinstance(value, (list, tuple)) else [value]:
                line += [names[0], str(each)]
    return line


def _names(field: str, hint: Any) -> list[str]:  # noqa: ANN401  an Annotated type
    option = hint.__metadata__[0]
    # Within Annotated, typer takes what its signature calls the default for the first name.
    first = [option.default] if isinstance(option.default, str) else []
    declared = [*first, *(option.param_decls or ())]
    return declared or [f"--{field.replace('_', '-')}"]
