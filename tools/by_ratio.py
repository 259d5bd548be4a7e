"""What the compressor that ships keeps at each of its ratios: a result file for each of them."""

from pathlib import Path
from typing import Final

from ..common.errors import LatentcompError
from ..evaluate.result import EvaluationResult

HEADLINES: Final = ("phase4.json", "phase4_8x.json", "phase4_16x.json")
"""The first is the one whose families are shown."""


def by_ratio(results: Path) -> tuple[EvaluationResult, ...]:
    """The results, the lowest ratio first: of one compressor, on the same documents.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing, or they are not of the same weights and documents.
    """
    read = tuple(EvaluationResult.read(results / name) for name in HEADLINES)
    of = {(each.checkpoint_sha256, each.seed, each.documents) for each in read}
    if len(of) != 1:
        raise LatentcompError(
            f"{results}: {', '.join(HEADLINES)} are of other weights or documents than one another;"
            " measure them again, with one checkpoint, seed and number of documents"
        )
    return tuple(sorted(read, key=lambda each: each.ratio))
