"""What a form gives stands in for the marks in steps."""

from typing import Any

from genmedia.campaign.steps import Campaign
from genmedia.campaign.variables import stand_in
from genmedia.errors import Fault
from genmedia.providers.sources import Unreadable

PICTURE = {
    "name": "picture",
    "model": "imagen4",
    "prompt": "{prompt}, at sunset",
    "references": [{"file": "{photo}"}, {"step": "a"}],
}
LIGHT = {"name": "light", "technique": "relight-technique", "inputs": [{"id": "input_image", "file": "{photo}"}]}
ICONS = {"name": "icons", "technique": "icon-pack", "inputs": [{"id": "prompt", "text": "{prompt}"}]}
SKETCH = {"name": "sketch", "base_model": "stable", "prompt": "{prompt}"}
MODEL = {"name": "model", "template": "model_generate_fromimage", "input": {"file": "{photo}"}}
PLAIN = {"name": "plain", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}


def written(*steps: dict[str, Any]) -> Any:
    return Campaign.model_validate({"name": "all", "steps": steps}).steps


def dumped(steps: Any) -> list[dict[str, Any]]:
    return [step.model_dump(exclude_unset=True) for step in steps]


def test_a_photo_and_a_prompt_stand_where_the_steps_of_all_providers_ask_for_them() -> None:
    steps, unused = stand_in(
        written(PICTURE, LIGHT, ICONS, SKETCH, MODEL, PLAIN), photo=" store:mugs/red.jpg ", prompt="a red cup"
    )

    wanted = written(
        PICTURE | {"prompt": "a red cup, at sunset", "references": [{"file": "store:mugs/red.jpg"}, {"step": "a"}]},
        LIGHT | {"inputs": [{"id": "input_image", "file": "store:mugs/red.jpg"}]},
        ICONS | {"inputs": [{"id": "prompt", "text": "a red cup"}]},
        SKETCH | {"prompt": "a red cup"},
        MODEL | {"input": {"file": "store:mugs/red.jpg"}},
        PLAIN,
    )
    assert (dumped(steps), unused) == (dumped(wanted), [])


def test_without_a_photo_a_reference_is_left_out_and_an_input_is_a_fault() -> None:
    steps: Any = stand_in(written(PICTURE), photo="", prompt="a cup")[0]
    assert dumped(steps[0].references) == [{"step": "a"}]

    refused, _ = stand_in(written(LIGHT, ICONS), photo="", prompt="")
    assert refused == [
        Unreadable("light", (Fault("", "asks for {photo}, and no photo is given"),)),
        Unreadable("icons", (Fault("", "asks for {prompt}, and no prompt is given"),)),
    ]


def test_what_no_step_asks_for_is_told_and_what_does_not_fit_with_it_is_a_fault_of_its_step() -> None:
    steps, unused = stand_in(written(PLAIN), photo="mine.jpg", prompt="a cup")
    assert dumped(steps) == dumped(written(PLAIN))
    assert unused == [
        "the photo is not used: no step asks for {photo}",
        "the prompt is not used: no step asks for {prompt}",
    ]

    refused, _ = stand_in(written(PICTURE), photo="", prompt="a cup " * 100)
    assert refused == [Unreadable("picture", (Fault("prompt", "should have at most 500 characters"),))]
