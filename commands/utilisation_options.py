"""What the user can say of a measurement of CE utilisation."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..common.terminal import DEFAULT_RUN, RunOption, option

if TYPE_CHECKING:
    from .subjects import EvaluationRequest

_WHAT, _ON, _HOW = "What is measured", "On which documents", "How it runs"


@dataclass(frozen=True, kw_only=True)
class UtilisationOptions:
    """Options of `latentcomp utilisation`."""

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
    checkpoint: Annotated[Path | None, option(_WHAT, "Another checkpoint.")] = None
    teacher_only: Annotated[
        bool, option(_WHAT, "Only the teacher: with the document and without.", "--teacher-only")
    ] = False
    arms: Annotated[
        str, option(_WHAT, "Optional arms too, such as bm25,truncation; or all.", metavar="NAMES")
    ] = ""
    documents: Annotated[int, option(_ON, "Held-out documents to generate.", min=2)] = 200
    seed: Annotated[int, option(_ON, "Seed of the held-out documents.", min=0)] = 1
    preset: Annotated[str, option(_ON, "lab or qwen3-30b; of generator 4 long too.")] = "lab"
    generator: Annotated[
        int | None, option(_ON, "Version of their world. [default: that of the teacher]", min=1)
    ] = None
    corpus: Annotated[Path | None, option(_ON, "Given documents, a folder or a JSONL file.")] = None
    teacher: Annotated[
        str | None, option(_HOW, "A name, a folder or a hub id. [default: the checkpoint's]")
    ] = None
    reasoner: Annotated[str | None, option(_HOW, "Who answers. [default: the checkpoint's]")] = None
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        option(_HOW, "Of the models (recorded); auto: as in training, float32 on a CPU."),
    ] = "auto"
    batch_size: Annotated[int, option(_HOW, "Documents read at once.", min=1)] = 8
    json: Annotated[
        Path | None,
        option(_HOW, "Write the figures of the last trial here too.", "--json", metavar="FILE"),
    ] = None

    def request(self) -> "EvaluationRequest":
        """The same for the program."""
        from ..experiment.named_trial import trial_name
        from .subjects import EvaluationRequest

        arms = [name.strip() for name in self.arms.split(",") if name.strip()]
        return EvaluationRequest(
            run=self.run,
            recipe=trial_name(self.recipe, self.phase),
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
            batch_size=self.batch_size,
            arms=tuple(dict.fromkeys(arms)),
        )

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from ..evaluate.held_out import SPLIT
        from .early import check_input, refuse_all
        from .early_trial import check_trial, check_world

        refuse_all(
            lambda: check_input(self.corpus, self.teacher, self.reasoner),
            lambda: check_trial(
                self.run, self.phase, self.recipe, self.checkpoint, alone=self.teacher_only
            ),
            lambda: check_world(self.corpus, self.preset, SPLIT, self.teacher, self.generator),
        )
