"""What the user can say to `latentcomp evaluate`, and what of it can be refused at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from ..common.terminal import option
from .measure_options import HOW, ON, WHAT, MeasureOptions

if TYPE_CHECKING:
    from .subjects import EvaluationRequest

WHOLE: Final = 1
"""Of `--steps`: documents are read whole, whatever the phase asks for."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(MeasureOptions):
    """What the user can say of an evaluation."""

    rank: Annotated[
        bool, option(WHAT, "Rank right, stale and other answers by likelihood too.", "--rank")
    ] = False
    summary: Annotated[
        bool, typer.Option("--summary", hidden=True, help="--arms summary, once.")
    ] = False
    summaries: Annotated[
        Path | None,
        option(WHAT, "Answer from these summaries of the text teacher too.", metavar="FILE"),
    ] = None
    scorer: Annotated[
        str,
        option(
            WHAT,
            "What counts as right; gates ask for exact.",
            metavar="exact|squad|contains|choice",
        ),
    ] = "exact"
    answer_tokens: Annotated[
        int | None,
        option(
            HOW,
            "Most tokens of an answer (recorded). [default: as the right answers need]",
            min=1,
        ),
    ] = None
    steps: Annotated[
        int | None,
        option(
            ON,
            "Read so many beginnings of each document, asked what is known then; 1: the whole. "
            "[default: the phase's own; of phase 6: 4]",
            min=1,
        ),
    ] = None
    backend: Annotated[
        Literal["transformers", "vllm"],
        option(HOW, "Who computes the answers (recorded); vllm: latents at positions 0, 1, 2..."),
    ] = "transformers"
    judge: Annotated[bool, option(HOW, "Judge the phase where this completes its evidence.")] = True

    def request(self) -> "EvaluationRequest":
        """The same for the program."""
        from .subjects import EvaluationRequest

        shared = self._shared()
        summary = ("summary",) if self.summary else ()
        return EvaluationRequest(
            **shared | {"arms": tuple(dict.fromkeys((*shared["arms"], *summary)))},
            answer_tokens=self.answer_tokens,
            backend=self.backend,
            rank=self.rank,
            scorer=self.scorer,
            summaries=self.summaries,
            steps=self.beginnings(),
        )

    def beginnings(self) -> int | None:
        """Beginnings of each document that are read; None: documents as they are."""
        from ..experiment.catalogue import steps_of

        if self.steps is None:
            return None if self.corpus is not None else steps_of(self.named())
        return None if self.steps == WHOLE else self.steps

    def _checks(self) -> list[Callable[[], None]]:
        from ..evaluate.scores import check_scorer
        from ..models.vllm_versions import require_vllm_installed

        backend = [require_vllm_installed] if self.backend == "vllm" else []
        return [*backend, *super()._checks(), lambda: check_scorer(self.scorer)]
