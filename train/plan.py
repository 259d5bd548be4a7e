"""How long and how fast: the settings of one training run, apart from what a phase is."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainPlan(BaseModel):
    """Budget and optimiser of one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps in all, those of an interrupted run included."""
    seconds: float | None = Field(default=None, gt=0)
    """Wall-clock budget instead of `steps`, for rented machines. Such a run cannot be resumed
    to the same weights, because how far it gets depends on the machine."""
    documents: int = Field(ge=1)
    """Documents of one step of one process."""
    question_positions: int = Field(default=256, ge=16)
    """Tokens of questions packed behind each document."""
    rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    warm_up: int = Field(ge=0)
    """Steps of linear warm-up."""
    flat_until: float = Field(default=0.5, ge=0, le=1)
    """Share of the run after which the rate falls linearly to `last_rate` of its peak."""
    last_rate: float = Field(default=0.02, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    save_every: int = Field(default=50, ge=1)
    """Steps between checkpoints."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds")
        return self

    def rate_at(self, step: int, progress: float) -> float:
        """Learning rate: warm-up, flat, then linear down.

        Args:
            step: steps done before this one.
            progress: share of the budget that is used up, 0 to 1.
        """
        warm = min(1.0, (step + 1) / max(1, self.warm_up))
        if progress <= self.flat_until:
            return self.rate * warm
        left = (1.0 - progress) / (1.0 - self.flat_until)
        return self.rate * warm * max(left, self.last_rate)
