"""Keys are planted in the accounts of all providers, everything is run and goes wrong in every way, and nothing that is left shows one."""

import asyncio
import logging
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from prefect.logging.handlers import APILogHandler, PrefectConsoleHandler
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings

from blocks import GenovaCredentials, load_block
from deployments.local_run import run_here
from flows.account_report import account_report
from flows.image_batch import image_batch
from flows.key_rotation import key_rotation
from flows.long_video import long_video
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image
from tests.prefects import PrefectServer
from tests.sandboxes import Sandbox
from tests.studio import Studio

LOUD = ("httpx", "httpcore", "websockets", "genmedia", "prefect", "sqlalchemy.engine")
SENT = ("httpx", "genmedia")
"""Of these, what Prefect is sent besides its own lines; the rest tell of connections and SQL. The lines of all are searched here."""
STEP = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}
RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "flora": (technique_chain, {"chain": {"name": "searched", "steps": [STEP]}}),
    "genova": (image_batch, {"name": "searched", "prompts": ["a cup", "a mug", "a jug"]}),
    "algovera": (text_to_image, {"name": "searched", "prompts": ["a cup"], "seeds": [1, 2, 3]}),
    "generio": (
        template_run,
        {"name": "searched", "inputs": [{"text": "a cup"}], "steps": [{"template": "model_generate_fromprompt"}]},
    ),
}
# What goes wrong in a run, and how often. The first two end it before it buys; each is followed by a run that goes well.
TROUBLES: list[dict[str, int]] = [
    {"server_error": 2},
    {"broken_json": 2},
    {"rate_limit": 1, "lose_answer": 1, "fail": 1, "vanish": 1, "truncated": 1, "expired": 1},
]


@pytest.fixture
def loud(prefect: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Everything logs at debug level, and Prefect is sent what requests say, as a person sets it up who looks for a fault."""
    # To say the same on the console would take a third of the time.
    monkeypatch.setattr(PrefectConsoleHandler, "emit", logging.NullHandler.emit)
    handler = APILogHandler()
    # Prefect sends logs by httpx itself: what that says of it, sent as well, would go round for ever, and can hold both threads up.
    handler.addFilter(lambda record: record.threadName != "GlobalEventLoopThread")
    for name in LOUD:
        caplog.set_level(logging.DEBUG, logger=name)
    for name in SENT:
        logging.getLogger(name).addHandler(handler)
    with temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}):
        yield
    for name in SENT:
        logging.getLogger(name).removeHandler(handler)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("loud")
async def test_no_key_is_left_in_anything(
    prefect_server: PrefectServer,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 2)
    planted, shown, happened, leaked = set[str](), list[str](), set[str](), sandbox.leaked()

    async def run(flow: Any, parameters: dict[str, Any], studio: Studio) -> None:
        ended = await run_here(flow, {**parameters, **studio.parameters})
        shown.extend([ended.name, ended.message, repr(ended.result), str(ended.result)])
        if isinstance(ended.result, BaseException):
            shown.extend([repr(vars(ended.result)), *traceback.format_exception(ended.result)])

    async def search(studio: Studio, flow: Any, parameters: dict[str, Any]) -> None:
        await run(flow, parameters, studio)
        await studio.save_blocks()
        studio.change(credits=0)
        await run(flow, parameters, studio)
        studio.change(credits=1000)
        for take, troubles in enumerate(TROUBLES, 1):
            for kind, times in troubles.items():
                sandbox.fault(studio.account, kind, times=times)
            await run(flow, {**parameters, "take": take}, studio)
            mine = [fault for fault in sandbox.control("GET", "/faults") if fault["account"] == studio.account["account"]]
            happened.update(fault["kind"] for fault in mine if fault["fired"])
            sandbox.control("DELETE", f"/faults?account={studio.account['account']}")
        await run(flow, {**parameters, "take": 1}, studio)
        provider = studio.account["provider"]
        shown.append(repr(await run_here(account_report, {"provider": provider, "account": studio.name})))
        if flow is image_batch:
            await run(long_video, {"name": "searched", "shots": [{"prompt": "a cup"}]}, studio)
            shown.append(repr(await run_here(key_rotation, {"account": studio.name})))
            planted.add((await load_block(GenovaCredentials, studio.name)).api_key.get_secret_value())

    studios: list[Studio] = []
    for provider in RUNS:  # one by one: of two that register a block type for the first time at once, Prefect refuses one
        account = sandbox.new_account(provider, switches={"assets": True} if provider == "flora" else {})
        studios.append(Studio(sandbox, account, tmp_path / provider))
        wrong = f"{account['api_key'][:-6]}zzzzzz"
        planted |= {account["api_key"], wrong}
        await studios[-1].save_blocks(api_key=wrong)
    await asyncio.gather(*(search(studio, *wish) for studio, wish in zip(studios, RUNS.values(), strict=True)))

    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    kept = prefect_server.read_all()
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert happened == {kind for troubles in TROUBLES for kind in troubles}
    assert len(left) > 10**5
    assert b"searched" in kept
    assert "/api/getAsset" in logged
    for key in planted:
        assert key not in logged
        assert key not in "\n".join(shown)
        assert key.encode() not in left
        assert key.encode() not in kept
    assert sandbox.leaked() == leaked
