"""A recipe: everything that decides a training but its seed. Data alone, no torch.

A recipe is a literal (experiment/phases.py, experiment/ablations.py) or one with fields changed by
`--set`. Its hash says whether two trainings were meant to be the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from random import Random
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..common.errors import RecipeError, combined
from ..common.numbers import refusal
from ..compressor.config import ModelConfig


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Part):
    """What one optimiser step sees."""

    source: Literal["store", "live"] = "store"
    """States from the run's store, or new documents in every step with the teacher in the loop."""
    batch_size: int = Field(default=8, ge=1)
    """Documents of one step of one process."""
    question_tokens: int = Field(default=256, ge=16)
    """Tokens of questions packed behind each document."""
    states: Literal["own", "other"] = "own"
    """Whose states are compressed: the document's that is asked about, or another's of the batch.
    With the latter only habit can be learned: how answers look, and nothing of what was read."""

    @model_validator(mode="after")
    def _another_one(self) -> Self:
        if self.states == "other" and self.batch_size < 2:
            raise ValueError("other states need a batch_size of 2 or more: one has no other")
        return self

    def recorded(self) -> dict[str, Any]:
        """As hashes take it: without the field that came later, where it has its default."""
        return self.model_dump(mode="json", exclude={"states"} if self.states == "own" else set())


class Optimiser(_Part):
    """How gradients become steps."""

    kind: Literal["adamw", "muon"] = "adamw"
    """Row of `train.optimisers.OPTIMISERS`."""
    lr: float = Field(default=3e-4, gt=0)
    """Peak learning rate of AdamW."""
    matrix_lr: float = Field(default=3e-3, gt=0)
    """Peak learning rate of Muon, for the weights that are matrices; unused by `adamw`."""
    warmup_steps: int = Field(default=10, ge=0)
    """Steps of linear warm-up."""
    decay_start: float = Field(default=0.5, ge=0, le=1)
    """Share of the budget after which the learning rate falls linearly."""
    final_lr_fraction: float = Field(default=0.02, ge=0, le=1)
    """What it falls to, as a fraction of its peak."""
    weight_decay: float = Field(default=0.01, ge=0)
    """On weights of two and more axes."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""

    def lr_at(self, peak: float, step: int, progress: float) -> float:
        """Learning rate: warm-up, flat, then linear down.

        Args:
            peak: of the group of weights.
            step: steps done before this one.
            progress: share of the budget that is used up, 0 to 1.
        """
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        if progress <= self.decay_start:
            return peak * warm
        left = (1.0 - progress) / (1.0 - self.decay_start)
        return peak * warm * max(left, self.final_lr_fraction)


class Budget(_Part):
    """How long a training is: fixed before it starts, and the same for recipes compared."""

    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps in all, those of an interrupted run included."""
    seconds: float | None = Field(default=None, gt=0)
    """Wall-clock seconds instead of steps, for rented machines. Such a training cannot be resumed
    to the same weights, because how far it gets depends on the machine."""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds")
        return self

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.seconds:g} s"


class Recipe(_Part):
    """Everything that decides a training but its seed."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Folder of its trials; decides nothing else."""
    model: ModelConfig
    layers: tuple[int, ...] = Field(min_length=1)
    """As in `--layers`: -k is `hidden_states[-k]` of the teacher, 0 its token embeddings."""
    objectives: dict[str, float]
    """Row of `train.objectives.OBJECTIVES` -> weight."""
    ratios: tuple[float, ...] = Field(default=(4.0,), min_length=1)
    """Tokens per latent; the first is the one that is reported. One that is listed twice is drawn
    twice as often."""
    ratio_order: Literal["drawn", "rising"] = "drawn"
    """One drawn for each step; or the lowest first, each for an equal part of the steps before the
    learning rate falls, the highest to the end: what needs many latents is learned with many."""
    reasoner: Literal["teacher", "student"] = "teacher"
    """Who answers: the teacher itself (control), or a smaller model."""
    data: Data = Data()
    optimiser: Optimiser = Optimiser()
    budget: Budget

    @field_validator("objectives")
    @classmethod
    def _weighted(cls, objectives: dict[str, float]) -> dict[str, float]:
        for name, weight in objectives.items():
            if not weight > 0:
                raise ValueError(f"objective {name!r} has the weight {weight}; leave it out")
        if not objectives:
            raise ValueError("a recipe needs an objective")
        return objectives

    @field_validator("ratios")
    @classmethod
    def _compressing(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if any(ratio < 1 for ratio in ratios):
            raise ValueError("a ratio below 1 is more latents than tokens")
        return ratios

    def ratio_at(self, seed: int, step: int, progress: float) -> float:
        """Tokens per latent of one step.

        Args:
            seed: of the training.
            step: steps done before this one.
            progress: share of the budget that is used up, 0 to 1.
        """
        if self.ratio_order == "drawn":
            return Random(f"ratio/{seed}/{step}").choice(self.ratios)
        rising, flat_part = sorted(self.ratios), self.optimiser.decay_start
        if progress >= flat_part:
            return rising[-1]
        return rising[int(len(rising) * progress / flat_part)]

    @property
    def distinct_ratios(self) -> tuple[float, ...]:
        """Its ratios, each once; the one that is reported first."""
        return tuple(dict.fromkeys(self.ratios))

    @property
    def sha256(self) -> str:
        """Of everything but the name."""
        later = {"ratio_order"} if self.ratio_order == "drawn" else set()
        record = self.model_dump(mode="json", exclude={"name"} | later)
        record |= {"model": self.model.recorded(), "data": self.data.recorded()}
        text = json.dumps(record, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def changed(self, changes: dict[str, Any], *, name: str | None = None) -> "Recipe":
        """The same recipe with fields replaced.

        Args:
            changes: dotted field -> value, such as `{"model.time": False}`. None takes an
                objective out (`objectives.alignment`), and elsewhere means None.
            name: of the new recipe; its own when None.

        Raises:
            RecipeError: there is no such field, or the value does not fit; names both.
        """
        record = self.model_dump()
        unknown = []
        for path, value in changes.items():
            try:
                _replace(record, path, value)
            except RecipeError as error:
                unknown.append(error)
        if unknown:
            raise combined(unknown)
        if name is not None:
            record["name"] = name
        try:
            return Recipe.model_validate(record)
        except ValidationError as error:
            raise combined([_refusal(each, changes) for each in error.errors()]) from None

    def differences(self, other: "Recipe") -> dict[str, tuple[Any, Any]]:
        """Dotted field -> (value here, value there) of every field that differs, but the name."""
        mine, theirs = flat(self), flat(other)
        keys = dict.fromkeys([*mine, *theirs])
        return {
            key: (mine.get(key), theirs.get(key))
            for key in keys
            if mine.get(key) != theirs.get(key)
        }


def flat(recipe: Recipe) -> dict[str, Any]:
    """Dotted field -> value of all that decides a training."""
    leaves: dict[str, Any] = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        else:
            leaves[prefix] = value

    walk("", recipe.model_dump(mode="json", exclude={"name"}))
    return leaves


def _refusal(error: Mapping[str, Any], changes: Mapping[str, Any]) -> RecipeError:
    where = ".".join(map(str, error["loc"])) or "recipe"
    reason = error["msg"].removeprefix("Value error, ")
    given = ", ".join(f"{field}={value}" for field, value in changes.items())
    return RecipeError(f"{where}: {reason}; given {given}")


_OPEN = ("objectives", "model.options")
"""Fields that hold whatever names there are."""


def _replace(record: dict[str, Any], path: str, value: object) -> None:
    *parents, leaf = path.split(".")
    place: Any = record
    for parent in parents:
        place = place.get(parent) if isinstance(place, dict) else None
    is_open = ".".join(parents) in _OPEN
    if not isinstance(place, dict) or (leaf not in place and not is_open):
        known = sorted(record if not isinstance(place, dict) else place)
        near = get_close_matches(leaf, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise RecipeError(
            f"{path}: a recipe has no such field{hint}; here there are {', '.join(known)}"
        )
    if is_open and value is None:
        place.pop(leaf, None)
    else:
        place[leaf] = value


def parse_set(given: list[str]) -> dict[str, Any]:
    """`--set model.time=false` and the like: a dotted field and a JSON value, or plain text.

    Raises:
        RecipeError: there is no `=`.
    """
    changes: dict[str, Any] = {}
    for text in given:
        path, separator, value = text.partition("=")
        if not separator or not path:
            raise RecipeError(f"--set {text}: give FIELD=VALUE, such as --set model.time=false")
        try:
            changes[path.strip()] = json.loads(value)
        except ValueError:
            changes[path.strip()] = value
        for each in _numbers(changes[path.strip()]):
            if reason := refusal(each):
                raise RecipeError(f"--set {text}: {reason}; give a number that can be trained with")
    return changes


def _numbers(value: Any) -> Iterator[Any]:  # noqa: ANN401  any JSON value
    """The numbers in a value."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _numbers(part)
    if isinstance(value, int | float):
        yield value
