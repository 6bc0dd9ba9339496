"""A real Chromium for tests of pages: missing, it is a skip on a laptop and a failure in CI."""

import os
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.end_to_end.browser.galleries import CHROMIUM

_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """One browser for the tests of a module. It ends with the module: Playwright holds an event loop, which async tests need free."""
    if CHROMIUM is None:
        missing = "there is no chromium-headless-shell or chromium on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-gpu", "--disable-quic", *_QUIET]
        )
        yield browser
        browser.close()
