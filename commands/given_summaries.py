"""Summaries of the text teacher for an evaluation: all that its documents need, or one line."""

from collections.abc import Sequence

from ..common.errors import CorpusError
from ..corpus.records import Document
from ..extract.teachers.text.results import read_summaries
from .subjects import EvaluationRequest


def given_summaries(
    request: EvaluationRequest, documents: Sequence[Document]
) -> dict[str, str] | None:
    """Summary of every document, from the file that was named."""
    if request.summaries is None:
        return None
    texts = {row.document_id: row.summary for row in read_summaries(request.summaries)}
    missing = [one.document_id for one in documents if one.document_id not in texts]
    if missing:
        raise CorpusError(
            f"{request.summaries}: no summary of {len(missing)} of {len(documents)} documents "
            f"(first: {missing[0]!r}); write them with `{_summaries_command(request)}`"
        )
    return texts


def _summaries_command(request: EvaluationRequest) -> str:
    """Which has the documents of this evaluation summarised where it looks for them."""
    assert request.summaries is not None
    documents = f"--preset {request.preset} --split test --documents {request.documents}"
    chosen = f"{documents} --seed {request.seed}"
    if request.corpus is not None:
        chosen = f"--corpus {request.corpus}"
    return f"latentcomp teacher summaries {chosen} --out {request.summaries.parent}"
