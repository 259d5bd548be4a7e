"""What the user can say to `latentcomp train`, and what of it can be refused at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..common.options import Dtype
from ..common.terminal import DEFAULT_RUN, RunOption, option

if TYPE_CHECKING:
    from ..train.recipe import Recipe
    from .trials import TrialRequest

_WHAT, _BUDGET, _HOW = "What is trained", "Changes of the recipe (recorded)", "How it runs"
STARTS: Final = ("auto", "fresh", "shipped")
"""What weights may begin as, besides a folder."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What the user can say of a training."""

    phase: Annotated[int | None, option(_WHAT, "Phase of the ladder.")] = None
    recipe: Annotated[
        str | None, option(_WHAT, "Instead of --phase: a recipe, such as ablation-no-time.")
    ] = None
    size: Annotated[
        str | None, option(_WHAT, "tiny, laptop or lab: one budget for all recipes.")
    ] = None
    run: RunOption = DEFAULT_RUN
    seed: Annotated[int, option(_WHAT, "Seed of weights, order and questions.", min=0)] = 0
    name: Annotated[
        str | None, option(_WHAT, "Folder of the trial, where it is not the recipe's own.")
    ] = None
    start: Annotated[
        str,
        option(
            _WHAT,
            "Weights to begin with; auto: the shipped ones where they fit, else fresh ones.",
            metavar="auto|fresh|shipped|PATH",
        ),
    ] = "fresh"
    strict: Annotated[
        bool,
        option(
            _WHAT,
            "Whether these weights have to be of the same models and settings; else tensors of "
            "the same name and shape are taken (recorded).",
            "--strict/--no-strict",
        ),
    ] = True
    teacher: Annotated[
        str | None,
        option(_WHAT, "With --live: who reads, `lab`, a folder or a hub id."),
    ] = None
    reasoner: Annotated[
        str | None, option(_WHAT, "`lab`, `lab-student`, a folder or a hub id.")
    ] = None
    set: Annotated[
        list[str],
        option(_BUDGET, "Change one field of the recipe.", "--set", metavar="FIELD=VALUE"),
    ] = None  # type: ignore[assignment]  # typer's way to say: an empty list
    layers: Annotated[
        str | None, option(_BUDGET, "Teacher layers, such as -6,-18,-30; 0: embeddings.")
    ] = None
    steps: Annotated[int | None, option(_BUDGET, "Optimiser steps in all.", min=1)] = None
    seconds: Annotated[
        float | None,
        option(_BUDGET, "Seconds instead of steps; not resumable exactly.", min=1.0),
    ] = None
    batch_size: Annotated[
        int | None, option(_BUDGET, "Documents of one step of one process.", min=1)
    ] = None
    documents: Annotated[int | None, typer.Option(hidden=True, help="--batch-size, once.")] = None
    lr: Annotated[
        float | None, option(_BUDGET, "Peak learning rate.", "--lr", "--rate", min=0.0)
    ] = None
    warmup_steps: Annotated[
        int | None,
        option(_BUDGET, "Steps of linear warm-up.", "--warmup-steps", "--warm-up", min=0),
    ] = None
    decay_start: Annotated[
        float | None,
        option(
            _BUDGET,
            "Share of the budget after which the learning rate falls.",
            "--decay-start",
            "--flat-until",
            min=0.0,
            max=1.0,
        ),
    ] = None
    question_tokens: Annotated[
        int | None, option(_BUDGET, "Tokens of questions about each document.", min=16)
    ] = None
    targets: Annotated[
        Path | None,
        option(_BUDGET, "Latents of `ceiling --save-latents`, for objectives.regression."),
    ] = None
    live: Annotated[
        bool, option(_BUDGET, "New documents in every step, no store (for a GPU).", "--live")
    ] = False
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        Dtype,
        option(_HOW, "Of the reasoner (recorded); auto: float32 for lab and CPU, else bfloat16."),
    ] = "auto"
    compute_again: Annotated[
        bool | None,
        option(
            _HOW,
            "Compute the reasoner's blocks again going backward, in less memory. "
            "[default: of a billion parameters and more]",
            "--checkpointing/--no-checkpointing",
        ),
    ] = None
    save_every: Annotated[int, option(_HOW, "Steps between checkpoints.", min=1)] = 25
    resident: Annotated[
        bool,
        option(_HOW, "Keep the store's states on the device; they must fit.", "--resident"),
    ] = False
    workers: Annotated[
        int | None,
        option(
            _HOW,
            "Processes that make batches from the store; 0: a thread. "
            "[default: up to 4 on a GPU, else 0]",
            min=0,
        ),
    ] = None
    skip_order: Annotated[
        bool,
        option(
            _HOW,
            "Start without the verdicts before; recorded in what follows.",
            "--skip-order",
        ),
    ] = False
    restart: Annotated[
        bool, option(_HOW, "Begin again; an earlier trial is kept aside.", "--restart")
    ] = False

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from .early import check_input, refuse_all

        refuse_all(
            lambda: check_input(None, self.teacher, self.reasoner),
            self.check_recipe,
            self.check_files,
        )

    def check_files(self) -> None:
        """Refuse files that are not there. Raises: UsageError."""
        from ..common.errors import UsageError

        if self.start not in STARTS and not Path(self.start).expanduser().exists():
            raise UsageError(
                f"--start {self.start}: there is no such folder; give {', '.join(STARTS)} or the "
                "folder of a checkpoint"
            )
        if self.targets is not None and not self.targets.is_file():
            raise UsageError(
                f"--targets {self.targets}: there is no such file; write one with "
                "`latentcomp ceiling --save-latents FILE`"
            )

    def check_recipe(self) -> None:
        """Refuse a recipe, and then a run that it cannot be trained in. Raises: LatentcompError."""
        from ..experiment.catalogue import size_named
        from ..experiment.sizes import DEFAULT
        from .early import refuse_all
        from .early_store import check_source, check_store

        refuse_all(self.resolved, lambda: size_named(self.size or DEFAULT), self.changes)
        recipe = self.resolved().changed(self.changes(), name=self.name)
        check_source(
            recipe,
            self.run,
            teacher=self.teacher,
            resident=self.resident,
            workers=self.workers,
        )
        check_store(recipe, self.run)

    def resolved(self) -> "Recipe":
        """The recipe of the catalogue, at its size. Raises: UsageError, RecipeError, PhaseError."""
        from ..common.errors import UsageError
        from ..experiment.catalogue import recipes, resolve

        recipe = resolve(self.recipe, self.phase, self.size)
        if self.name in recipes() and self.name != recipe.name:
            raise UsageError(
                f"--name {self.name}: that is another recipe of the catalogue; give a name of "
                f"your own, or --recipe {self.name}"
            )
        return recipe

    def changes(self) -> dict[str, Any]:
        """Fields of the recipe that these options change."""
        from ..common.errors import UsageError
        from ..experiment.catalogue import changes_of
        from ..models.layers import parse_layers
        from ..train.recipe import parse_set

        if self.seconds is not None and self.steps is not None:
            raise UsageError(
                f"--steps {self.steps} and --seconds {self.seconds:g} exclude each other: a budget "
                "is one or the other"
            )
        if self.batch_size is not None and self.documents is not None:
            raise UsageError("--documents is the old name of --batch-size; give --batch-size alone")
        budget: dict[str, Any] = {}
        if self.seconds is not None:
            budget = {"budget.steps": None, "budget.seconds": self.seconds}
        given = {
            "layers": parse_layers(self.layers) if self.layers else None,
            "budget.steps": self.steps,
            "data.batch_size": self.batch_size or self.documents,
            "data.question_tokens": self.question_tokens,
            "data.source": "live" if self.live else None,
            "optimiser.lr": self.lr,
            "optimiser.warmup_steps": self.warmup_steps,
            "optimiser.decay_start": self.decay_start,
        }
        return {**changes_of(given), **budget, **parse_set(list(self.set or []))}

    def request(self) -> "TrialRequest":
        """The same for the program."""
        from .batches import BatchSettings
        from .trials import TrialRequest

        return TrialRequest(
            run=self.run,
            recipe=self.resolved(),
            changes=self.changes(),
            seed=self.seed,
            name=self.name,
            teacher=self.teacher,
            reasoner=self.reasoner,
            start=self.start,
            strict=self.strict,
            device=self.device,
            skip_order=self.skip_order,
            batches=BatchSettings(self.resident, self.workers),
            save_every=self.save_every,
            targets=self.targets,
            restart=self.restart,
            dtype=self.dtype,
            compute_again=self.compute_again,
        )
