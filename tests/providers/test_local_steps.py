"""What this machine does: the form of its orders, which their keys are made of, and what its forms refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genmedia.campaign.steps import Campaign
from genmedia.errors import Fault
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account, account_name
from genmedia.media.operations import carry_out
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.local.steps import Local
from genmedia.providers.registry import kind_of, kinds, providers
from genmedia.providers.steps import HERE, Operation, PaidKind

GOLDEN = json.loads((Path(__file__).parents[1] / "journal" / "golden_keys.json").read_text(encoding="utf-8"))
FILE, FILM = {"file": "photos/coffee.jpg"}, {"file": "film.mp4"}

SMALLEST: dict[str, dict[str, Any]] = {
    "resize": {"input": FILE, "width": 10},
    "convert": {"input": FILE, "format": "webp"},
    "overlay": {"input": FILE, "logo": FILE},
    "text": {"input": FILE, "text": "Mug"},
    "contact-sheet": {"inputs": [FILE]},
    "frame": {"input": FILM},
    "trim": {"input": FILM, "end": 1},
    "concatenate": {"inputs": [FILM]},
    "sound": {"input": FILM, "mute": True},
}
"""Each operation with no more than it needs."""


def read(**fields: Any) -> Any:
    return Campaign.model_validate({"name": "test", "steps": [{"name": "a", **fields}]}).steps[0]


async def operation(**fields: Any) -> Any:
    """The operation of a step, or its faults."""
    return (await Local().describe(None, [read(**fields)], None))["a"]


def test_every_operation_has_a_form_and_a_way_to_do_it(tmp_path: Path) -> None:
    assert Local.form.keys() == SMALLEST.keys()
    for name, fields in SMALLEST.items():
        step = read(local=name, **fields)
        assert isinstance(kind_of(step), Local)
        with pytest.raises(OSError, match="gone"):  # it begins with reading its input
            carry_out(name, [tmp_path / "gone", tmp_path / "gone"], {"fonts": [], "at": "first", "text": ""}, tmp_path / "made")


@pytest.mark.parametrize("name", [name for name in SMALLEST if name != "text"])
async def test_an_operation_has_no_price_and_tells_its_media(name: str) -> None:
    found = await operation(local=name, **SMALLEST[name])

    assert isinstance(found, Operation)
    assert (found.name, found.price, found.unit, found.free) == (name, 0, "", True)
    film = name in ("frame", "trim", "concatenate", "sound")
    assert set(found.takes.values()) == {frozenset({"video" if film else "image"})}
    assert found.gives == {"result": "video" if film and name != "frame" else "image"}


async def test_an_order_is_what_the_golden_file_says() -> None:
    """A changed key would make everything anew; a change of what an operation gives raises its version instead."""
    wish = GOLDEN["a picture made here in another size"]
    found = await operation(local="resize", input={"step": "hero"}, width=1080, height=1920, fit="cover", focus=[0.5, 0.3])
    given = [ResolvedInput("input", "image", sha256="1f" * 32)]

    order = Local().order(found, given, HERE, 3)

    assert order.request == wish["request"]
    assert order.key == wish["key"]
    assert order.account == Account(*wish["account"])


async def test_another_option_input_picture_of_a_video_or_operation_is_another_order() -> None:
    first = await operation(local="resize", input={"step": "hero"}, width=10)
    wider = await operation(local="resize", input={"step": "hero"}, width=11)
    given = ResolvedInput("input", "image", sha256="1f" * 32)
    other = ResolvedInput("input", "image", sha256="2f" * 32)
    still = ResolvedInput("input", "image", sha256="1f" * 32, at="last")

    keys = {
        Local().order(*asked, HERE, 1).key for asked in ((first, [given]), (wider, [given]), (first, [other]), (first, [still]))
    }

    assert len(keys) == 4


def test_this_machine_is_no_provider_and_nobody_pays_there() -> None:
    assert HERE.provider not in providers()
    assert not isinstance(next(kind for kind in kinds() if kind.tag == "local"), PaidKind)
    assert str(HERE) == "local||"
    assert account_name(str(HERE)) == "local"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"local": "resize", "input": FILE, "width": 0}, "width"),
        ({"local": "resize", "input": FILE, "width": 9_000}, "width"),
        ({"local": "resize", "input": FILE, "width": 10, "focus": [0.5]}, "focus"),
        ({"local": "resize", "input": {"url": "https://example.com/a.png"}, "width": 10}, "input"),
        ({"local": "convert", "input": FILE, "format": "bmp"}, "format"),
        ({"local": "convert", "input": FILE, "format": "jpg", "quality": 0}, "quality"),
        ({"local": "overlay", "input": FILE, "logo": FILE, "scale": float("nan")}, "scale"),
        ({"local": "text", "input": FILE, "text": " "}, "text"),
        ({"local": "text", "input": FILE, "text": "Mug", "colour": "{{ x }}"}, "colour"),
        ({"local": "contact-sheet", "inputs": []}, "inputs"),
        ({"local": "frame", "input": FILM, "at": -1}, "at"),
        ({"local": "trim", "input": FILM, "start": float("inf")}, "start"),
        ({"local": "sound", "input": FILM, "take": 2}, "take"),
    ],
)
def test_a_value_that_cannot_be_is_a_fault_at_its_field(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as raised:
        read(**fields)

    found: list[Fault] = faults_in(raised.value, {"name": "test", "steps": [{"name": "a", **fields}]})
    assert found
    assert all(place in fault.place for fault in found)
