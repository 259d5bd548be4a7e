"""What the user can say to `latentcomp evaluate`, and what of it can be refused at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, option

if TYPE_CHECKING:
    from .evaluation import EvaluationRequest

_WHAT, _ON, _HOW = "What is measured", "On which documents", "How it runs"


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What the user can say of an evaluation."""

    phase: Annotated[int | None, option(_WHAT, "Phase whose trials are measured. [default: 4]")] = (
        None
    )
    recipe: Annotated[
        str | None, option(_WHAT, "Instead of --phase: name of the trials, as `train` has it.")
    ] = None
    run: RunOption = DEFAULT_RUN
    training_seed: Annotated[
        list[int],
        option(_WHAT, "Only the trial of this training seed. [default: all there are]", min=0),
    ] = None  # type: ignore[assignment]  # typer's way to say: an empty list
    ratio: Annotated[
        float | None, option(_WHAT, "Tokens per latent; the recipe's own by default.", min=1.0)
    ] = None
    checkpoint: Annotated[
        Path | None, option(_WHAT, "Another checkpoint; no verdict is recorded then.")
    ] = None
    teacher_only: Annotated[
        bool, option(_WHAT, "Only the teacher: ceiling and floor.", "--teacher-only")
    ] = False
    arms: Annotated[
        str, option(_WHAT, "Optional arms too, such as bm25,stale; or all.", metavar="NAMES")
    ] = ""
    rank: Annotated[
        bool, option(_WHAT, "Rank right, stale and other answers by likelihood too.", "--rank")
    ] = False
    summary: Annotated[
        bool, typer.Option("--summary", hidden=True, help="--arms summary, once.")
    ] = False
    summaries: Annotated[
        Path | None,
        option(_WHAT, "Answer from these summaries of the text teacher too.", metavar="FILE"),
    ] = None
    scorer: Annotated[
        str,
        option(
            _WHAT,
            "What counts as right; gates ask for exact.",
            metavar="exact|squad|contains|choice",
        ),
    ] = "exact"
    documents: Annotated[int, option(_ON, "Held-out documents to generate.", min=2)] = 200
    seed: Annotated[int, option(_ON, "Seed of the held-out documents.", min=0)] = 1
    preset: Annotated[str, option(_ON, "lab or qwen3-30b; of generator 4 long too.")] = "lab"
    generator: Annotated[
        int | None, option(_ON, "Version of their world. [default: that of the teacher]", min=1)
    ] = None
    corpus: Annotated[
        Path | None, option(_ON, "Given documents, a folder or a JSONL file; no verdict.")
    ] = None
    teacher: Annotated[
        str | None,
        option(
            _HOW,
            "`lab`, `lab4` (generator 4, not finished), a folder or a hub id. [default: the "
            "checkpoint's]",
        ),
    ] = None
    reasoner: Annotated[str | None, option(_HOW, "Who answers. [default: the checkpoint's]")] = None
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        option(_HOW, "Of the models (recorded); auto: as in training, float32 on a CPU."),
    ] = "auto"
    answer_tokens: Annotated[
        int | None,
        option(
            _HOW,
            "Most tokens of an answer (recorded). [default: as the right answers need]",
            min=1,
        ),
    ] = None
    batch_size: Annotated[
        int, option(_HOW, "Documents read at once.", "--batch-size", "--batch", min=1)
    ] = 8
    judge: Annotated[bool, option(_HOW, "Judge the phase where this completes its evidence.")] = (
        True
    )
    json: Annotated[
        Path | None,
        option(_HOW, "Write the figures of the last trial here too.", "--json", metavar="FILE"),
    ] = None

    def request(self) -> "EvaluationRequest":
        """The same for the program."""
        from .evaluation import EvaluationRequest

        arms = [name.strip() for name in self.arms.split(",") if name.strip()]
        return EvaluationRequest(
            run=self.run,
            recipe=self.named(),
            training_seeds=tuple(self.training_seed or ()),
            documents=self.documents,
            seed=self.seed,
            preset=self.preset,
            generator=self.generator,
            corpus=self.corpus,
            checkpoint=self.checkpoint,
            teacher=self.teacher,
            reasoner=self.reasoner,
            ratio=self.ratio,
            device=self.device,
            dtype=self.dtype,
            answer_tokens=self.answer_tokens,
            batch_size=self.batch_size,
            arms=tuple(dict.fromkeys([*arms, *(["summary"] if self.summary else [])])),
            rank=self.rank,
            scorer=self.scorer,
            summaries=self.summaries,
        )

    def named(self) -> str:
        """Name of the trials. Raises: UsageError, PhaseError."""
        from ..experiment.named_trial import trial_name

        return trial_name(self.recipe, self.phase)

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from ..evaluate.held_out import SPLIT
        from ..evaluate.scores import check_scorer
        from .early import check_held_out, check_input, refuse_all
        from .early_trial import check_trial, check_world

        refuse_all(
            lambda: check_input(self.corpus, self.teacher, self.reasoner),
            lambda: check_trial(
                self.run, self.phase, self.recipe, self.checkpoint, alone=self.teacher_only
            ),
            lambda: check_scorer(self.scorer),
            lambda: check_world(self.corpus, self.preset, SPLIT, self.teacher, self.generator),
        )
        if self.corpus is not None:
            check_held_out(self.corpus)
