"""What the user can say to `latentcomp diagnose`: one record, for the command and for its work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..common.terminal import DEFAULT_RUN, RunOption, option

_WHAT, _ON, _HOW = "What is looked into", "On which documents", "How it runs"


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    """What the user can say of a diagnosis."""

    phase: Annotated[int | None, option(_WHAT, "Phase of the trial. [default: 4]")] = None
    recipe: Annotated[
        str | None, option(_WHAT, "Instead of --phase: name of the trial, as `train` has it.")
    ] = None
    run: RunOption = DEFAULT_RUN
    training_seed: Annotated[
        int | None, option(_WHAT, "Training seed of the trial. [default: the first]", min=0)
    ] = None
    checkpoint: Annotated[Path | None, option(_WHAT, "Another checkpoint.")] = None
    ratio: Annotated[
        float | None, option(_WHAT, "Tokens per latent; the recipe's own by default.", min=1.0)
    ] = None
    probes_only: Annotated[
        bool,
        option(
            _WHAT, "Linear probes alone: nothing is answered, so more documents.", "--probes-only"
        ),
    ] = False
    json: Annotated[
        Path | None,
        option(_WHAT, "Where the record goes. [default: beside the checkpoint]", "--json"),
    ] = None
    documents: Annotated[int, option(_ON, "How many; of a corpus its first ones.", min=4)] = 40
    seed: Annotated[int, option(_ON, "Of generated documents, and of the intervals.", min=0)] = 1
    split: Annotated[str, option(_ON, "train, validation or test.")] = "validation"
    preset: Annotated[str, option(_ON, "lab or qwen3-30b; of generator 4 long too.")] = "lab"
    generator: Annotated[
        int | None, option(_ON, "Version of their world. [default: that of the teacher]", min=1)
    ] = None
    questions: Annotated[
        int, option(_ON, "Most questions of each family about a generated document.", min=1)
    ] = 2
    corpus: Annotated[
        Path | None, option(_ON, "Given documents instead, a folder or a JSONL file.")
    ] = None
    teacher: Annotated[
        str | None,
        option(_HOW, "`lab`, a folder or a hub id. [default: the checkpoint's]"),
    ] = None
    reasoner: Annotated[str | None, option(_HOW, "Who answers. [default: the checkpoint's]")] = None
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        str, option(_HOW, "Of the models; auto: as in training, float32 on a CPU.")
    ] = "auto"
    batch_size: Annotated[int, option(_HOW, "Documents read at once.", min=1)] = 8

    def named(self) -> str:
        """Name of the trial. Raises: UsageError, PhaseError."""
        from ..experiment.named_trial import trial_name

        return trial_name(self.recipe, self.phase)

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from .early import check_held_out, check_input, refuse_all
        from .early_trial import check_trial, check_world

        refuse_all(
            lambda: check_input(self.corpus, self.teacher, self.reasoner),
            lambda: check_trial(self.run, self.phase, self.recipe, self.checkpoint),
            lambda: check_world(self.corpus, self.preset, self.split, self.teacher, self.generator),
        )
        if self.corpus is not None:
            check_held_out(self.corpus)
