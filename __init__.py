"""latentcomp: can a large model's reading of a document survive compression into a few latents?

From Python: `Store`, `Compressor`, `Latents`, `Reasoner` and what belongs to them; docs/python.md
shows them at work. They are imported at their first use, so that `import latentcomp` is quick. For
editors and type checkers the same names stand in `__init__.pyi`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.2.0"

# A checkout is imported through the link .dev/latentcomp. Modules load from their own
# place all the same, so tracebacks and breakpoints name the file that is edited.
__path__ = [str(Path(__file__).resolve().parent)]

__all__ = [
    "Answer",
    "Chunk",
    "Compressor",
    "Document",
    "DocumentLatents",
    "Evaluation",
    "LatentcompError",
    "Latents",
    "Question",
    "Reasoner",
    "Store",
    "StoredDocument",
    "__version__",
    "read_corpus",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    """The object behind a name of `__all__`, imported at its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".api", __name__), name)


def __dir__() -> list[str]:
    """What tab completion shows."""
    return sorted(__all__)
