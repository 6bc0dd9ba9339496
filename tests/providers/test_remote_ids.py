"""An id is what a job is asked for by: what nobody can ask by is none, and an answer with it is unreadable, whoever gives it."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from genmedia.providers.algovera.client import _Created as AlgoveraCreated  # pyright: ignore[reportPrivateUsage] # it is read nowhere else
from genmedia.providers.flora.client import Run, Technique
from genmedia.providers.generio.client import Asset, Flow
from genmedia.providers.genova.client import Created, GenovaJob
from genmedia.transport.answers import ID_CHARACTERS, RemoteId

ANSWERS: list[tuple[type[BaseModel], str, dict[str, Any]]] = [
    (AlgoveraCreated, "job_uuid", {}),
    (Created, "jobId", {}),
    (GenovaJob, "id", {"status": "queued"}),
    (Flow, "flow_id", {"state": "starting"}),
    (Flow, "id", {"state": "starting"}),
    (Asset, "asset_id", {}),
    (Asset, "id", {}),
    (Run, "runId", {"status": "pending"}),
    (Run, "run_id", {"status": "pending"}),
    (Technique, "techniqueId", {"runCost": 1}),
]
NO_IDS = ["", " ", "\t\n", "\u200b", "\x00", "a\nb", "a\x1b[31m", "\ud800", "a\ufffd", "a" * (ID_CHARACTERS + 1), None, 7]


@pytest.mark.parametrize("no_id", NO_IDS)
def test_what_cannot_be_asked_for_is_no_id(no_id: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RemoteId).validate_python(no_id)


@pytest.mark.parametrize("id_", ["8c1d4c9e", "6941ac784e4fd44b7afb5f4c", "run 7/ä?#", "a" * ID_CHARACTERS])
def test_an_id_is_kept_as_it_is(id_: str) -> None:
    assert TypeAdapter(RemoteId).validate_python(id_) == id_


@pytest.mark.parametrize(("model", "field", "others"), ANSWERS)
@pytest.mark.parametrize("no_id", NO_IDS)
def test_an_answer_without_an_id_is_unreadable(model: type[BaseModel], field: str, others: dict[str, Any], no_id: object) -> None:
    assert model.model_validate({field: "a", **others})
    with pytest.raises(ValidationError):
        model.model_validate({field: no_id, **others})
