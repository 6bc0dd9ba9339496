"""Flows and tasks that turn errors into states: an error of ours becomes a state that says what happened, without a traceback.

Prefect logs every error that a flow or task raises with its traceback, so that even a cap or a misspelt name looks like a crash. Each flow
and task of this project is made here and returns a state instead; its caller gets the same error raised.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow, Task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed
from prefect.utilities.annotations import opaque

from genmedia.errors import GenmediaError, InputError, sentence
from genmedia.forms.validation import Reading, read_parameters
from genmedia.purchasing.result import REFUSED
from genmedia.text.plain import for_markdown
from tasks.lost_runs import name_process
from tasks.parts import suffix

TOLD = 5
"""Most faults that a state's message tells in full; the artifact has all of them."""

_OF_PREFECT = ("return_state", "wait_for")
"""Names of arguments of a call that are for Prefect, not for the task."""

P = ParamSpec("P")
R = TypeVar("R")

Function = Callable[P, Coroutine[Any, Any, R]]


class _ToldOnce(logging.Filter):
    """Drops a log line: Prefect logs a failed state that a task returned twice, the first time with an empty traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Task run failed with state")


logging.getLogger("prefect.task_runs").addFilter(_ToldOnce())


class _Task(Task[P, R]):
    def __init__(self, function: Callable[P, R], name: str | Callable[[], str]) -> None:
        super().__init__(function, task_run_name=name, cache_policy=NO_CACHE)
        self.fn = _ending_in_words(cast("Function[..., Any]", function))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns; an error of ours is raised again.

        Prefect looks twice through everything that a task is given, for futures of other tasks; here it finds only those given as they are.
        """
        hidden = {name: value if name in _OF_PREFECT else opaque(value) for name, value in kwargs.items()}
        ended: Any = cast("Any", super()).__call__(*map(opaque, args), **hidden)
        return ended if kwargs.get("return_state") else _raised(ended)


def task(*, task_run_name: str) -> Callable[[Function[P, R]], Task[P, Coroutine[Any, Any, R]]]:
    """Make a Prefect task that is never cached and turns errors of ours into states.

    Args:
        task_run_name: Name of its runs, with parameters in braces.
    """
    return lambda function: _Task(function, task_run_name)


async def _raised(running: Awaitable[Any]) -> Any:
    ended = await running
    if isinstance(ended, State):
        state = cast("State[Any]", ended)
        return await state.aresult() if state.is_failed() else state
    return ended


def _ending_in_words(function: Function[..., Any]) -> Function[..., Any]:
    @wraps(function)
    async def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except GenmediaError as error:
            return _state_of(error)

    return told


class _Flow(Flow[P, R]):
    def __init__(self, function: Callable[P, R], **options: Any) -> None:
        # Prefect's own check tells faults in pydantic's words, and ends the run before anything here could say them.
        super().__init__(function, validate_parameters=False, **options)
        self.fn = _reading_parameters(cast("Function[..., State[Any]]", function))


def flow(
    *,
    name: str,
    flow_run_name: str | Callable[[], str],
    on_cancellation: Sequence[Callable[..., Any]] = (),
    on_end: Sequence[Callable[..., Any]] = (),
) -> Callable[[Function[P, R]], Flow[P, Coroutine[Any, Any, R]]]:
    """Make a Prefect flow that labels its run with its process, reads parameters as people write them, and turns errors of ours into states.

    Args:
        name: Name of the flow.
        flow_run_name: Name of its runs, with parameters and their fields in braces, or what returns it; the flow's where it is empty.
        on_cancellation: Hooks for a run that a person cancels.
        on_end: Hooks for a run that has ended in any way, after those.
    """
    told = flow_run_name if callable(flow_run_name) else lambda: _filled(flow_run_name)
    hooks: dict[str, Any] = {kind: [*on_end] for kind in ("on_completion", "on_failure", "on_crashed")}
    hooks["on_cancellation"] = [*on_cancellation, *on_end]
    return lambda function: _Flow(function, name=name, flow_run_name=lambda: f"{told() or name}{suffix()}", **hooks)


def _filled(template: str) -> str:
    """Fill a template for a run's name; the parameters are not checked yet and may be anything."""

    def value(found: re.Match[str]) -> str:
        one: Any = flow_run.parameters
        for part in found[1].split("."):
            one = cast("Mapping[str, Any]", one).get(part) if isinstance(one, Mapping) else getattr(one, part, None)
        return one if isinstance(one, str) else ""

    return re.sub(r"\{([\w.]+)\}", value, template).strip()


def _reading_parameters(function: Function[..., State[Any]]) -> Function[..., State[Any]]:
    @wraps(function)
    async def told(*args: Any, **kwargs: Any) -> State[Any]:
        await name_process()
        given = dict(signature(function).bind(*args, **kwargs).arguments)
        reading = Reading(plans=True)
        try:
            values = read_parameters(function, given, reading)
            for written, name in reading.renamed.items():
                get_run_logger().info("%r is kept under the name %s", written, name)
            return await function(**values)
        except GenmediaError as error:
            get_run_logger().error("%s", error)
            if error.bought_nothing:
                await _list_faults(error)
            return _state_of(error)

    return told


def _state_of(error: GenmediaError) -> State[Any]:
    """Return a failed state whose name and message say what happened; a run that bought nothing is `Refused`."""
    if not error.bought_nothing:
        return Failed(message=" ".join(str(error).split("\n")), data=error)
    faults = error.faults if isinstance(error, InputError) else []
    more = f"; and {len(faults) - TOLD} more, each in the artifact `refused`" if len(faults) > TOLD else ""
    named = f": {'; '.join(map(str, faults[:TOLD]))}{more}" if faults else ""
    told = filter(None, (error.money, sentence(f"{error.what}{named}"), error.advice))
    return Failed(name=REFUSED, message=" ".join(told), data=error)


async def _list_faults(error: GenmediaError) -> None:
    """Publish the faults as an artifact of the run: as a list, for Prefect's page cuts off long texts in a table."""
    faults = error.faults if isinstance(error, InputError) else []
    listed = [f"- **{for_markdown(fault.place)}**: {for_markdown(fault.what)}" for fault in faults]
    lines = [f"# {for_markdown(error.money)}", for_markdown(sentence(error.what)), "\n".join(listed), for_markdown(error.advice)]
    text = "\n\n".join(filter(None, lines))
    await acreate_markdown_artifact(markdown=text, key="refused", description="Why nothing was bought")
