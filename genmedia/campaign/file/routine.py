"""The parts of a campaign's file that say when it runs by itself and who is told: `genmedia deploy` reads them, and no run does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar, cast
from zoneinfo import available_timezones

from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator, model_validator

from genmedia.campaign.file.source import Source, Way
from genmedia.errors import Fault, InputError
from genmedia.forms.fields import field
from genmedia.forms.validation import faults_in, found_by_us
from genmedia.providers.sources import Written

SCHEDULE, OVERLAP, NOTIFY = "schedule", "overlap", "notify"

Overlap = Literal["queue", "skip"]
News = Literal["review", "partial", "failed", "budget", "in doubt"]

_WAYS = ("cron", "interval", "rrule")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHORTEST = timedelta(minutes=1)

M = TypeVar("M", bound=BaseModel)


class Schedule(Written):
    """When a campaign runs by itself: one of cron, interval and rrule."""

    cron: str | None = field("Cron", "Minute, hour, day, month and weekday, such as 0 6 * * 1 for Mondays at six.", default=None)
    interval: str | None = field(
        "Interval", "Time from one run to the next: a number with s, m, h, d or w, such as 6h; a minute at least.", default=None
    )
    rrule: str | None = field("Rule", "A rule of iCalendar, such as FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9.", default=None)
    timezone: str = field("Time zone", "That of its hours and days, such as Europe/Berlin.", default="UTC")
    parameters: dict[str, Any] = field("Parameters", "Parameters of its runs, beside those of the file.", default={})

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise found_by_us(f"{value!r} is no time zone; write one such as Europe/Berlin or UTC")
        return value

    @field_validator("interval")
    @classmethod
    def _can_be_read(cls, value: str | None) -> str | None:
        if value is not None and not (re.fullmatch(r"[1-9][0-9]{0,5}[smhdw]", value) and _time_of(value) >= _SHORTEST):
            raise found_by_us(f"{value!r} is no interval; write one such as 90m, 6h or 1d, a minute at least")
        return value

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Schedule":
        if len([one for one in _WAYS if getattr(self, one) is not None]) != 1:
            raise found_by_us(f"should have one of {', '.join(_WAYS)}")
        return self

    @property
    def way(self) -> str:
        """The field that says when."""
        return next(one for one in _WAYS if getattr(self, one) is not None)

    @property
    def every(self) -> timedelta:
        """The time from one run to the next, where it is an interval."""
        assert self.interval is not None
        return _time_of(self.interval)


class Notify(Written):
    """Who is told of what."""

    on: list[News] = field("On", "What they are told of.", min_length=1)
    block: str = field(
        "Block",
        "A notification block that is saved in Prefect, by its name, or by its type and name: slack-webhook/team.",
        min_length=1,
    )


@dataclass(frozen=True)
class Routine:
    """What a file says of its runs by themselves.

    Attributes:
        schedules: When it runs.
        overlap: What becomes of a run that is due while another one runs: it waits in the queue, or it is skipped.
        notify: Who is told; None for nobody.
    """

    schedules: Sequence[Schedule]
    overlap: Overlap
    notify: Notify | None


def schedule_way(source: Source, number: int) -> Way:
    """Return the way to a schedule, by its number from 0: the file has one, or a list of them."""
    return (SCHEDULE, number) if isinstance(source.value.get(SCHEDULE), list) else (SCHEDULE,)


def read_routine(source: Source) -> Routine:
    """Return what a campaign's file says of its runs by themselves.

    Raises:
        InputError: Something is wrong, with file, line and column.
    """
    faults: list[Fault] = []
    value: Mapping[str, Any] = source.value
    written = value.get(SCHEDULE)
    every = cast("list[Any]", written) if isinstance(written, list) else [] if written is None else [written]
    schedules = [_read(Schedule, one, source, schedule_way(source, number), faults) for number, one in enumerate(every)]
    notify = None if value.get(NOTIFY) is None else _read(Notify, value[NOTIFY], source, (NOTIFY,), faults)
    overlap: Overlap = "queue"
    try:
        overlap = TypeAdapter[Overlap](Overlap).validate_python(value.get(OVERLAP, "queue"))
    except ValidationError as error:
        faults += [Fault(source.place((OVERLAP,), OVERLAP), fault.what) for fault in faults_in(error, value[OVERLAP])]
    if faults:
        raise InputError(faults)
    return Routine([one for one in schedules if one], overlap, notify)


def _read(kind: type[M], written: Any, source: Source, way: Way, faults: list[Fault]) -> M | None:
    try:
        return kind.model_validate(written)
    except ValidationError as error:
        faults += [
            Fault(source.place((*way, *one.place.split(", ")), str(way[0]), one.place), one.what)
            for one in faults_in(error, written)
        ]
    return None


def _time_of(interval: str) -> timedelta:
    return timedelta(**{_UNITS[interval[-1]]: int(interval[:-1])})
