"""How an evaluation's derived figures stand in its JSON."""

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from pydantic import BaseModel

DERIVED: Final = (
    "questions",
    "arms",
    "accuracy",
    "by_family",
    "by_bucket",
    "ceiling",
    "floor",
    "shuffled",
    "zero",
    "stale_rate",
    "retention",
    "retention_low",
    "retention_high",
    "checks",
)
"""Figures of the JSON that are properties: copies or consequences of other fields."""


def plain_value(value: object) -> object:
    """A derived figure as JSON holds it: records as mappings, NaN as null."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain_value(part) for key, part in value.items()}
    return None if isinstance(value, float) and isnan(value) else value


def plain_mapping(provenance: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    """A record or a mapping as JSON holds it; empty for None."""
    if provenance is None:
        return {}
    if isinstance(provenance, BaseModel):
        return provenance.model_dump(mode="json")
    return dict(provenance)
