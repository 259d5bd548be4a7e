"""What is recorded of one trial: a recipe, a seed, and what it was trained from and on.

It stands in every checkpoint and in `trial.json`. Records of versions before 0.2, where a training
was a phase and a plan, are read through `train.legacy`.
"""

from typing import Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from .legacy import upgrade_trial
from .recipe import Recipe

LATEST: Final = "latest.json"
"""Of a folder of checkpoints: names the one that counts."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(_Record):
    """Weights that a trial began with."""

    origin: Literal["fresh", "shipped", "checkpoint"]
    seed: int | None = None
    """Of fresh weights."""
    steps: int | None = None
    """Optimiser steps behind those of a checkpoint."""
    sha256: str | None = None
    """Of its weights."""
    history: "TrialRecord | None" = None
    """The trial that made it."""
    differs: dict[str, Any] = {}
    """With `--no-strict`: dotted field of the spec -> what it was there, and is here."""
    fresh: tuple[str, ...] = ()
    """With `--no-strict`: tensors that were not there, or in another shape, and begin fresh."""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As records of versions without these fields are written.
        content: dict[str, Any] = serialize(self)
        return {k: v for k, v in content.items() if v or k not in ("differs", "fresh")}


class TrialRecord(_Record):
    """One training of one recipe with one seed."""

    recipe: Recipe
    seed: int = Field(ge=0)
    """Of weights, order of documents, questions and ratios."""
    overrides: dict[str, Any] = {}
    """Fields that the command line changed in the recipe it named."""
    data: dict[str, Any] = {}
    """What decides the batches, as their source describes it."""
    start: Start | None = None
    """None where a version before 0.2 did not say."""
    skipped: tuple[int, ...] = ()
    """Phases without a verdict that this trial was allowed to pass over."""
    dtype: str = "float32"
    """Precision of the reasoner's weights, and of a teacher that reads live."""

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, record: object) -> object:
        return upgrade_trial(record) if isinstance(record, dict) else record

    def lineage(self) -> tuple["TrialRecord", ...]:
        """This trial and those that its weights came from, the newest first."""
        earlier = self.start.history.lineage() if self.start and self.start.history else ()
        return (self, *earlier)

    @property
    def trained_ratios(self) -> tuple[float, ...]:
        """Ratios that its weights were trained for, those of the trials before it included."""
        return tuple(sorted({ratio for one in self.lineage() for ratio in one.recipe.ratios}))

    def untrained_ratio(self, ratio: float) -> str:
        """What is to be said of figures at a ratio that was not trained for; empty if it was."""
        if ratio in self.trained_ratios:
            return ""
        trained = ", ".join(f"{each:g}x" for each in self.trained_ratios)
        return f"measured at {ratio:g}x, which these weights were not trained for ({trained})"

    @property
    def thin_start(self) -> bool:
        """Whether it began from weights of another trial."""
        return self.start is not None and self.start.origin != "fresh"

    def comparable(self) -> Self:
        """The same without what may differ between two sessions of one trial."""
        return self.model_copy(update={"skipped": (), "overrides": {}})
