"""Chains of FLORA's techniques, as people write them."""

from typing import Any

from genmedia.campaign.executor import RunResult

PHOTO = {"id": "input_image", "file": "photos/coffee.jpg"}


def chain(name: str, *steps: dict[str, Any]) -> dict[str, Any]:
    named = [{"name": f"s{number}", **step} for number, step in enumerate(steps, 1)]
    return {"name": name, "steps": named}


def fed(step: str, output: str = "") -> list[dict[str, str]]:
    return [{"id": "input_image", "step": step, **({"output": output} if output else {})}]


TWO_STEPS = (
    {"technique": "relight-technique", "inputs": [PHOTO]},
    {"technique": "studio-blur", "inputs": fed("s1")},
)


def by_step(ended: Any) -> dict[str, RunResult]:
    assert not isinstance(ended.result, BaseException), ended.result
    return {result.name: result for result in ended.result}
