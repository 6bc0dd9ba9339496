"""From a mark in the gallery to another picture: what is marked retake is bought by a run that is given the marks, and nothing else."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from deployments.local_run import run_here
from flows.text_to_image import text_to_image
from tests.end_to_end.browser.galleries import opened, tile
from tests.sandboxes import Sandbox
from tests.studio import Studio

pytestmark = pytest.mark.browser


def aside(work: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to, in a thread: Playwright holds the event loop of this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, work).result()


def test_a_retake_marked_in_the_gallery_is_bought_with_its_other_seed_and_stands_below_what_it_replaces(
    prefect: str, sandbox: Sandbox, chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    studio = Studio(sandbox, sandbox.new_account("algovera"), tmp_path / "media")
    aside(studio.save_blocks())
    wish: dict[str, Any] = {"name": "sheet", "prompts": ["a red kite", "a cup"], "seeds": [7, 8], **studio.parameters}
    first = aside(run_here(text_to_image, wish))
    kite, _, _, cup = [result.assets[0].path for result in first.result]
    noise: list[str] = []

    with opened(studio.root / "index.html", chromium, noise, permissions=["clipboard-read", "clipboard-write"]) as page:
        for path, mark in ((kite, "retake"), (cup, "reject")):
            tile(page, path).locator(".step").click()
            page.locator("#facts").get_by_role("button", name=mark).click()
            page.keyboard.press("Escape")
        page.get_by_role("button", name="Copy", exact=True).click()
        expect(page.locator("#notice")).to_contain_text("Copied: 2 marks")
        more = {"prompts": [*wish["prompts"], "a bowl"], "marks": page.evaluate("navigator.clipboard.readText()")}
        second = aside(run_here(text_to_image, wish | more))
        page.reload()
        expect(page.locator(".tile")).to_have_count(5)
        steps, labels = (page.locator(one).all_text_contents() for one in (".tile .step", ".label"))
        before, after = (tile(page, one).bounding_box() for one in (kite, second.result[0].assets[0].path))

    *firsts, retake = [job["request"]["seed"] for job in studio.jobs]
    assert (sorted(firsts), retake) == ([7, 7, 8, 8], 1)  # what is ordered at once comes in any order
    assert second.name == "Completed"
    assert second.message.startswith("1 retake, 1 of it known here; 1 bought, 3 reused, 2 not bought; charged: algovera 1 credit")
    assert steps == ["seed-7-a-red-kite", "seed-8-a-red-kite", "seed-1-a-red-kite", "seed-7-a-cup", "seed-8-a-cup"]
    assert labels == ["seed 7", "seed 8", "a red kite", "a cup"]
    assert before
    assert after
    assert (before["x"], before["y"] < after["y"]) == (after["x"], True)
