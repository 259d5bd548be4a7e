"""How latents are optimised for single documents: data alone, part of every record."""

from typing import Literal

from pydantic import Field

from ...common.record import Record


class Settings(Record):
    """Everything that decides the latents of a document but the document and the ratio."""

    positions: Literal["sequential", "tokens"] = "tokens"
    """Where the reasoner finds the latents, as `model.positions` of a recipe."""
    start: str = "embeddings"
    """Row of `starts.STARTS`, or the path of a checkpoint whose latents are the start."""
    start_sha256: str | None = None
    """Of the weights of that checkpoint."""
    layers: tuple[int, ...] = (-30,)
    """Whose states the start `states` takes the mean of; as in `--layers`."""
    steps: int = Field(default=250, ge=0)
    """Adam steps."""
    lr: float = Field(default=1.0, gt=0)
    """Peak learning rate, in multiples of the root mean square of the reasoner's embeddings. What
    suits a start grows with its size: the shipped checkpoint writes vectors of 16 of them."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Adam's decay of the mean of gradients."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """Adam's decay of the mean of their squares."""
    warmup_steps: int = Field(default=10, ge=0)
    """Steps of linear warm-up."""
    decay_start: float = Field(default=0.6, ge=0, le=1)
    """Share of the steps after which the learning rate falls linearly, to 0."""
    hold_out: float = Field(default=0.5, ge=0, lt=1)
    """Share of a document's questions that the optimisation does not see."""
    question_tokens: int | None = Field(default=None, ge=16)
    """Tokens of questions of one step, drawn anew in each; None: all questions in every step."""
    seed: int = Field(default=0, ge=0)
    """Of the questions held out, the start `random` and the draws of `question_tokens`."""

    def lr_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0: warm-up, flat, then linear down to 0."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        flat = self.decay_start * self.steps
        left = (self.steps - step) / max(1.0, self.steps - flat)
        return self.lr * warm * min(1.0, left)
