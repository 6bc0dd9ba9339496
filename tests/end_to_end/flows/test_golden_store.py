"""The runs that made a store of before the house was rebuilt, asked for again with the same parameters, buy nothing."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blocks import AssetStore
from deployments.bootstrap import CREDENTIALS
from deployments.local_run import run_here
from flows.campaign import campaign
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image
from genmedia.provenance.rebuild import rebuild_journal
from tests.conftest import do_without
from tests.golden import GOLDEN, PORT, asked, copy_store
from tests.sandboxes import Sandbox, running_sandbox

FLOWS: dict[str, Any] = {
    "campaign": campaign,
    "image_batch": image_batch,
    "technique_chain": technique_chain,
    "template_run": template_run,
    "text_to_image": text_to_image,
}
BLOCK = "golden"


@pytest.fixture
def world() -> Generator[Sandbox]:
    """A sandbox where that of the store was, which has sold nothing yet."""
    for port in (PORT, PORT + 1):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                do_without(f"port {port} is taken, and the accounts of the store are at {PORT}")
    options = {"port": PORT, "clock_scale": 50, "size": 96, "switches": {"flora": {"assets": True}}}
    with running_sandbox(json.dumps(options)) as sandbox:
        yield sandbox


@pytest.fixture
async def root(prefect: str, world: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Path]:
    """A copy of the store, with the blocks of its accounts saved; the working directory is where the photos are."""
    monkeypatch.chdir(GOLDEN)
    for account in world.control("GET", "/accounts"):
        known = {name: account[name] for name in ("api_key", "base_url", "account")}
        more: dict[str, Any] = {"price": 1} if account["provider"] == "generio" else {}
        more |= {"plan": account["plan"]} if account["plan"] else {}
        await CREDENTIALS[account["provider"].upper()].model_validate(known | more).asave(BLOCK, overwrite=True)
    yield copy_store(tmp_path)
    for kind in CREDENTIALS.values():
        await kind.adelete(BLOCK)
    await AssetStore.adelete(BLOCK)


async def _again(root: Path, run: dict[str, Any]) -> tuple[str, Counter[str]]:
    """Ask for one of the runs again: its state, and how many of its results have which status."""
    await AssetStore(root=str(root), **run.get("store", {})).asave(BLOCK, overwrite=True)
    payers = {"accounts": dict.fromkeys(map(str.lower, CREDENTIALS), BLOCK)} if run["flow"] == "campaign" else {"account": BLOCK}
    ended = await run_here(FLOWS[run["flow"]], {**run["parameters"], **payers, "store": BLOCK})
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.name, Counter(result.status for result in ended.result)


def _media(root: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix in (".png", ".jpg", ".mp4", ".glb", ".txt") and ".genmedia" not in path.parts
    }


async def test_the_runs_of_an_old_store_buy_nothing_when_they_are_asked_for_again(root: Path, world: Sandbox) -> None:
    before = _media(root)

    for run in asked():
        state, statuses = await _again(root, run)
        assert (state, statuses) == (run["again"]["state"], run["again"]["results"]), run["parameters"]

    assert world.control("GET", "/jobs") == []
    assert {line["method"] for line in world.requests()} == {"GET", "WS"}, "nothing is sent that could cost"
    assert _media(root) == before


async def test_with_a_journal_made_again_from_the_sidecars_they_buy_nothing_of_what_is_stored(root: Path, world: Sandbox) -> None:
    for file in (root / ".genmedia").glob("journal.db*"):
        await asyncio.to_thread(file.unlink)
    assets = AssetStore(root=str(root))
    async with assets.get_store() as store, assets.get_journal() as journal:
        await rebuild_journal(store, journal)

    stored = [run for run in asked() if run["again"]["results"].keys() == {"Reused"}]
    for run in stored:
        assert await _again(root, run) == (run["again"]["state"], run["again"]["results"]), run["parameters"]

    assert len(stored) == 4
    assert world.control("GET", "/jobs") == []
