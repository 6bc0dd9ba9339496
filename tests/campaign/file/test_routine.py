"""What a campaign's file says of its runs by themselves."""

import json
import re
from datetime import timedelta

import jsonschema
import pytest

from genmedia.campaign.file.routine import Routine, read_routine
from genmedia.campaign.file.source import read
from genmedia.errors import InputError
from genmedia.forms.names import slug
from tests.commands import PROJECT

DOCUMENT = (PROJECT / "docs" / "schedules.md").read_text(encoding="utf-8")
STEPS = "campaign: mugs\nsteps:\n  - {name: hero, model: imagen4, prompt: a mug}\n"


def routine_of(text: str) -> Routine:
    return read_routine(read(STEPS + text))


def test_the_ten_lines_of_the_document_are_read_and_known_to_the_schema() -> None:
    (lines,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)

    routine = routine_of(lines)
    schema = json.loads((PROJECT / "docs" / "campaign.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(read(STEPS + lines).value, schema)

    assert [one.way for one in routine.schedules] == ["cron", "interval"]
    assert routine.schedules[1].every == timedelta(days=1)
    assert routine.overlap == "queue"
    assert routine.notify
    assert routine.notify.on == ["review", "partial", "failed", "budget", "in doubt"]


def test_a_file_that_says_nothing_has_no_schedule_and_tells_nobody() -> None:
    assert routine_of("") == Routine([], "queue", None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("schedule: {}", "campaign:4:11, schedule: should have one of cron, interval, rrule"),
        ("schedule: {cron: '* * * * *', interval: 6h}", "campaign:4:11, schedule: should have one of cron, interval, rrule"),
        ("schedule: {interval: 30s}", "campaign:4:22, schedule, interval: '30s' is no interval; write one such as 90m, 6h or 1d"),
        ("schedule: [{interval: 0h}]", "campaign:4:23, schedule, interval: '0h' is no interval"),
        ("schedule: {cron: '0 6 * * 1', timezone: Berlin}", "campaign:4:41, schedule, timezone: 'Berlin' is no time zone"),
        ("schedule: [{cron: '0 6 * * 1', at: 5}]", "campaign:4:36, schedule, at: is no field; there are cron, interval"),
        ("schedule: weekly", "campaign:4:11, schedule: should be fields with values"),
        ("overlap: both", "campaign:4:10, overlap: is 'both', and can be queue, skip"),
        ("notify: {on: [], block: team}", "campaign:4:14, notify, on: is empty"),
        (
            "notify: {on: [partially], block: team}",
            "is 'partially', and can be review, partial, failed, budget, in doubt; did you mean",
        ),
        ("notify: {on: [partial]}", "campaign:4:9, notify, block: is missing"),
    ],
    ids=slug,
)
def test_what_is_wrong_is_told_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(InputError) as told:
        routine_of(text)

    (only,) = told.value.faults
    assert fault in str(only)
