"""What every measurement of trials on held-out documents can be told, and what of it is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ..common.options import Dtype
from ..common.terminal import DEFAULT_RUN, RunOption, option

if TYPE_CHECKING:
    from .subjects import EvaluationRequest

WHAT, ON, HOW = "What is measured", "On which documents", "How it runs"


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Options that `evaluate` and `utilisation` share."""

    continuations: ClassVar[bool] = False
    """Whether continuations count as questions."""

    phase: Annotated[int | None, option(WHAT, "Phase whose trials are measured. [default: 4]")] = (
        None
    )
    recipe: Annotated[
        str | None, option(WHAT, "Instead of --phase: name of the trials, as `train` has it.")
    ] = None
    run: RunOption = DEFAULT_RUN
    training_seed: Annotated[
        list[int],
        option(WHAT, "Only the trial of this training seed. [default: all there are]", min=0),
    ] = None  # type: ignore[assignment]  # typer's way to say: an empty list
    ratio: Annotated[
        list[float],
        option(
            WHAT, "Tokens per latent; may be repeated. [default: the recipe's own first]", min=1.0
        ),
    ] = None  # type: ignore[assignment]
    checkpoint: Annotated[
        Path | None, option(WHAT, "Another checkpoint; no verdict is recorded then.")
    ] = None
    teacher_only: Annotated[
        bool, option(WHAT, "Only the teacher: ceiling and floor.", "--teacher-only")
    ] = False
    arms: Annotated[
        str, option(WHAT, "Optional arms too, such as bm25,stale; or all.", metavar="NAMES")
    ] = ""
    documents: Annotated[int, option(ON, "Held-out documents to generate.", min=2)] = 200
    seed: Annotated[int, option(ON, "Seed of the held-out documents.", min=0)] = 1
    preset: Annotated[str, option(ON, "lab or qwen3-30b; of generator 4 long too.")] = "lab"
    generator: Annotated[
        int | None, option(ON, "Version of their world. [default: that of the teacher]", min=1)
    ] = None
    corpus: Annotated[
        Path | None, option(ON, "Given documents, a folder or a JSONL file; no verdict.")
    ] = None
    teacher: Annotated[
        str | None,
        option(HOW, "`lab`, a folder or a hub id. [default: the checkpoint's]"),
    ] = None
    reasoner: Annotated[str | None, option(HOW, "Who answers. [default: the checkpoint's]")] = None
    device: Annotated[str, option(HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        Dtype,
        option(HOW, "Of the models (recorded); auto: as in training, float32 on a CPU."),
    ] = "auto"
    batch_size: Annotated[
        int, option(HOW, "Documents read at once.", "--batch-size", "--batch", min=1)
    ] = 8
    json: Annotated[
        Path | None,
        option(
            HOW,
            "Write the figures of the last trial here too; of further ratios beside it, to "
            "FILE_8x.json and the like.",
            "--json",
            metavar="FILE",
        ),
    ] = None

    def request(self) -> "EvaluationRequest":
        """The same for the program."""
        from .subjects import EvaluationRequest

        return EvaluationRequest(**self._shared())

    def named(self) -> str:
        """Name of the trials. Raises: UsageError, PhaseError."""
        from ..experiment.named_trial import trial_name

        return trial_name(self.recipe, self.phase)

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from .early import check_held_out, refuse_all

        refuse_all(*self._checks())
        if self.corpus is not None:
            check_held_out(self.corpus, continuations=self.continuations)

    def _checks(self) -> list[Callable[[], None]]:
        from ..evaluate.held_out import SPLIT
        from .early import check_input
        from .early_trial import check_trial, check_world

        return [
            lambda: check_input(self.corpus, self.teacher, self.reasoner),
            lambda: check_trial(
                self.run, self.phase, self.recipe, self.checkpoint, alone=self.teacher_only
            ),
            lambda: check_world(self.corpus, self.preset, SPLIT, self.teacher, self.generator),
        ]

    def _shared(self) -> dict[str, Any]:
        arms = [name.strip() for name in self.arms.split(",") if name.strip()]
        names = ("run", "documents", "seed", "preset", "generator", "corpus", "checkpoint")
        how = ("teacher", "reasoner", "device", "dtype", "batch_size")
        return {
            "ratios": tuple(dict.fromkeys(self.ratio or ())),
            **{name: getattr(self, name) for name in (*names, *how)},
            "recipe": self.named(),
            "training_seeds": tuple(self.training_seed or ()),
            "arms": tuple(dict.fromkeys(arms)),
        }
