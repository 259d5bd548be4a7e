"""The one kind of error a user sees: what, where, the value, the next step."""

from collections.abc import Sequence
from typing import TypeVar


class LatentcompError(Exception):
    """A mistake or a limit that the user can act on.

    The message is one line: what went wrong, where, with which value, and what to do next.
    The command line prints it and exits with code 2; a library caller catches this class. More of
    the same kind, such as other faulty lines of a file, are its notes (`add_note`), a line each.
    """


class UsageError(LatentcompError):
    """Options or arguments that do not go together, or a value outside its range."""


class CorpusError(LatentcompError):
    """A corpus file that cannot be read: names the file, the line and the reason."""


class StoreError(LatentcompError):
    """A feature store that is missing, damaged or not the requested one."""


class StoreBusyError(StoreError):
    """A store, or the requested shards of it, that a running process is writing to."""


class TeacherError(LatentcompError):
    """A model that cannot be loaded or lacks something (a layer, a tokenizer)."""


class PhaseError(LatentcompError):
    """A phase that may not run: unknown, or its prerequisites have no verdict."""


class CheckpointError(LatentcompError):
    """A checkpoint that is missing, damaged or of another experiment."""


class RecipeError(LatentcompError):
    """A recipe that cannot be made or trained."""


class TrainingError(LatentcompError):
    """A training that cannot go on."""


ErrorT = TypeVar("ErrorT", bound=LatentcompError)


def combined(errors: Sequence[ErrorT]) -> ErrorT:
    """The first of some errors, with the others as its notes; there is at least one."""
    first, *others = errors
    known = {str(first)}
    for other in others:
        for line in (str(other), *getattr(other, "__notes__", ())):
            if line not in known:
                known.add(line)
                first.add_note(line)
    return first
