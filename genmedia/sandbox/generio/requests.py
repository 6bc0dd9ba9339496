"""Reading and checking what callers send to Generio's API; what is wrong is told in FastAPI's form."""

import json
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from genmedia.sandbox.generio.templates import Parameters, Template, WrongInputError
from genmedia.sandbox.provider import Refusal

INPUT_BYTES = 25 * 1024 * 1024
"""The largest input, decoded."""
STATES = ("created", "starting", "running", "aborting", "aborted", "completed", "failed")
FIELDS = (
    "flow_id", "template", "state", "progress", "created_at", "started_at", "finished_at", "parameters", "additional", "error",
)  # fmt: skip
SORTS = {"status": "state", **{name: name for name in ("state", "progress", "created_at", "started_at", "finished_at")}}
"""What `sort_by` may say, and the field that it means."""

Where = tuple[str | int, ...]
_Problem = dict[str, Any]
_Model = TypeVar("_Model", bound=BaseModel)


class InvalidError(Exception):
    """The request is answered with 422 and the list of what is wrong with it."""

    def __init__(self, problems: Sequence[_Problem]) -> None:
        super().__init__(problems)
        self.problems = list(problems)


class NewInput(BaseModel):
    """One input as it is sent."""

    model_config = ConfigDict(frozen=True)

    data: str
    additional: Any = None


class NewFlow(BaseModel):
    """A flow as it is ordered."""

    model_config = ConfigDict(frozen=True)

    template: str
    parameters: dict[str, Any] | None = None
    inputs: list[NewInput] | None = None
    additional: Any = None


class Control(BaseModel):
    """What is to be done with a flow."""

    model_config = ConfigDict(frozen=True)

    action: Literal["start", "abort"]


Content = tuple[str, bytes | str]
"""An input's media type and what is in it."""


async def read_body(request: Request, model: type[_Model]) -> _Model:
    """The request's JSON object.

    Raises:
        InvalidError: It is not JSON, or does not fit the model.
    """
    try:
        body = from_json(await request.body(), allow_inf_nan=False)
        json.dumps(body, allow_nan=False)  # a number such as 1e999 could not be given back
    except ValueError as error:
        raise InvalidError([_problem(("body",), f"JSON decode error: {error}", "json_invalid")]) from None
    return _checked(model, body, ("body",))


def read_parameters(template: Template, given: dict[str, Any] | None) -> Parameters:
    """The parameters with the template's defaults filled in.

    Raises:
        InvalidError: The template knows no such parameter, or not with such a value.
    """
    return _checked(template.parameters, given or {}, ("body", "parameters"))


def read_inputs(template: Template, given: Sequence[NewInput], place: Where, *, plain_base64: bool) -> list[Content]:
    """What is in the inputs.

    Args:
        template: What takes them.
        given: The inputs as sent.
        place: Where they stand in the request; several are numbered there.
        plain_base64: Whether a file may come without a data URI around it.

    Raises:
        InvalidError: Some are nothing that the template takes; all of them are named.
        Refusal: 413, when one is too large.
    """
    read: list[Content] = []
    problems: list[_Problem] = []
    for number, each in enumerate(given):
        try:
            media_type, content = template.read(each.data, plain_base64=plain_base64)
            template.check_name(each.additional)
        except WrongInputError as error:
            where = (*place, number) if place[-1:] == ("inputs",) else place
            problems.append(_problem((*where, "data"), f"Value error, {error}", "value_error"))
            continue
        if len(content) > INPUT_BYTES:
            raise Refusal(413, "", f"An input may have at most {INPUT_BYTES} bytes")
        read.append((media_type, content))
    if problems:
        raise InvalidError(problems)
    return read


def read_flag(request: Request, name: str) -> bool:
    """A yes or no in the query; no when it is not there.

    Raises:
        InvalidError: It is neither.
    """
    given = request.query_params.get(name, "false").lower()
    if given in {"true", "1", "on", "yes", "t", "y"}:
        return True
    if given in {"false", "0", "off", "no", "f", "n"}:
        return False
    raise InvalidError([_problem(("query", name), "Input should be a valid boolean, unable to interpret input", "bool_parsing")])


def read_sorting(request: Request) -> str:
    """The field by which a list is sorted.

    Raises:
        InvalidError: There is no such field.
    """
    given = request.query_params.get("sort_by", "created_at")
    if given not in SORTS:
        raise _not_one_of("sort_by", SORTS)
    return SORTS[given]


def read_filter(request: Request, meaning: Literal["auto", "fields", "states"]) -> tuple[str | None, tuple[str, ...]]:
    """The state of the flows that a list shows, None for all, and the fields that it shows of each.

    Args:
        request: `filter_by` stands in its query.
        meaning: Which of the document's two generations holds; `auto`: whichever the value fits.

    Raises:
        InvalidError: The value fits neither.
    """
    given = request.query_params.get("filter_by")
    if given is None:
        return None, FIELDS
    if meaning != "fields" and given in STATES:
        return given, FIELDS
    names = tuple(name.strip() for name in given.split(","))
    if meaning != "states" and set(names) <= set(FIELDS):
        return None, names
    known = {"auto": (*STATES, *FIELDS), "fields": FIELDS, "states": STATES}
    raise _not_one_of("filter_by", known[meaning])


def _not_one_of(name: str, known: Sequence[str] | dict[str, str]) -> InvalidError:
    return InvalidError([_problem(("query", name), f"Input should be {', '.join(known)}", "enum")])


def _checked(model: type[_Model], body: Any, where: Where) -> _Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidError([_problem((*where, *each["loc"]), each["msg"], each["type"]) for each in wrong]) from None


def _problem(where: Where, message: str, kind: str) -> _Problem:
    return {"type": kind, "loc": list(where), "msg": message}
