"""latentcomp from Python: stores, compressors, latents, reasoners, evaluations.

The names in `__all__` are stable: what they take and give changes only with a line in CHANGELOG.md.
All of them, but for `evaluate`, are names of `latentcomp` itself too. Nothing heavy is imported
before the first of them is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..common.errors import LatentcompError as LatentcompError
    from ..corpus.files import read_corpus as read_corpus
    from ..corpus.records import Chunk as Chunk
    from ..corpus.records import Document as Document
    from ..corpus.records import Question as Question
    from .compressor import Compressor as Compressor
    from .evaluation import Evaluation as Evaluation
    from .evaluation import evaluate as evaluate
    from .latents import DocumentLatents as DocumentLatents
    from .latents import Latents as Latents
    from .reasoner import Answer as Answer
    from .reasoner import Reasoner as Reasoner
    from .store import Store as Store
    from .store import StoredDocument as StoredDocument

_HOMES: Final = {
    "Answer": ".reasoner",
    "Chunk": "..corpus.records",
    "Compressor": ".compressor",
    "Document": "..corpus.records",
    "DocumentLatents": ".latents",
    "Evaluation": ".evaluation",
    "LatentcompError": "..common.errors",
    "Latents": ".latents",
    "Question": "..corpus.records",
    "Reasoner": ".reasoner",
    "Store": ".store",
    "StoredDocument": ".store",
    "evaluate": ".evaluation",
    "read_corpus": "..corpus.files",
}
"""Where each name lives."""

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
    "evaluate",
    "read_corpus",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    """The object behind a name of `__all__`, imported at its first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    """What tab completion shows."""
    return sorted(__all__)
