"""The form of a saved plan: what is read of it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from genmedia.campaign.brief import Measure
from genmedia.errors import Fault
from genmedia.forms.validation import faults_in


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Item(_Read):
    name: str
    provider: str
    operation: str
    outlook: str
    why: str
    price: float | None
    unit: str
    key: str
    asks: str


class _Cost(_Read):
    told: str
    items: int


class _Plan(_Read):
    file: str
    variables: dict[str, Any]
    rows: list[str]
    edition: str
    hash: str
    retakes: list[str]
    refused: str
    less: dict[Measure, list[str]]
    decided: list[str]
    warnings: list[str]
    seconds: float | None
    untimed: int
    delivers_to: str
    costs: dict[str, _Cost]
    items: list[_Item]


def faults_of(plan: Mapping[str, Any]) -> list[Fault]:
    """Return every field of a saved plan that is missing or wrong."""
    try:
        _Plan.model_validate(plan)
    except ValidationError as error:
        return faults_in(error, plan)
    return []
