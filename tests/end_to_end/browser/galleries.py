"""How the tests look at a gallery: from the disk, with everything noted that the page should not have done."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, ViewportSize

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The browser without windows, which takes less than half of the time, else the whole one; None if neither is installed."""

PLAYED = """(video) => new Promise((done) => {
    video.addEventListener("timeupdate", () => video.currentTime > 0 && done(video.currentTime));
})"""


@contextmanager
def opened(index: Path, chromium: Browser, noise: list[str], *, address: str = "", **settings: Any) -> Generator[Page]:
    """The gallery's page in a browser of its own; at the end there must be no `noise`: errors, and requests for anything but files.

    Args:
        index: The page.
        chromium: The browser.
        noise: Where to note it; a test that provokes some clears it.
        address: What stands in the address behind the #.
        settings: Of the browser's context.
    """

    def hear(message: ConsoleMessage) -> None:
        slow = "GL Driver Message" in message.text  # a screenshot of what is drawn without a graphics card
        if message.type in ("error", "warning") and not slow:
            noise.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith(("file:", "blob:")):
            noise.append(request.url)

    viewport: ViewportSize = {"width": 1200, "height": 700}
    with chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin", viewport=viewport, **settings) as context:
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", watch)
        page.goto(f"{index.as_uri()}#{address}")
        yield page
    assert not noise


def tile(page: Page, path: str) -> Locator:
    """The tile of an asset, as far as it is in the page."""
    return page.locator(".tile").filter(has=page.locator(f'.frame[title="{path}"]'))


def choice(page: Page, group: str, value: str) -> Locator:
    """A choice of a filter."""
    return page.get_by_role("group", name=group, exact=True).locator(f'[data-value="{value}"]')
