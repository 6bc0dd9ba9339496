"""`genmedia providers`: what accounts offer, asked of the sandbox without Prefect."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from blocks import AlgoveraCredentials, FloraCredentials, GenerioCredentials, GenovaCredentials
from deployments.bootstrap import CREDENTIALS
from genmedia.errors import CredentialsError
from tests.commands import genmedia
from tests.sandboxes import Sandbox, running_sandbox

KEYS = ["provider", "block", "account", "base_url", "products", "plan", "credits", "note", "error"]
PRODUCT_KEYS = ["name", "takes", "makes", "price", "parameters", "unit"]


@pytest.fixture(scope="module")
def untouched() -> Generator[Sandbox]:
    """A sandbox whose accounts are as it opened them; in the shared one other tests open and change some."""
    with running_sandbox() as running:
        yield running


def block(kind: Any, account: dict[str, Any]) -> Any:
    """Credentials of an account of the sandbox."""
    return kind(api_key=account["api_key"], base_url=account["base_url"], account=account["account"])


def test_the_accounts_of_a_sandbox_are_told_as_json_without_prefect_and_without_keys(untouched: Sandbox) -> None:
    keys = [account["api_key"] for account in untouched.control("GET", "/accounts")]

    done = genmedia("providers", "--json", "--sandbox", untouched.url, PREFECT_API_URL="")

    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    rows = {row["provider"]: row for row in told}
    assert set(rows) == {kind.provider for kind in CREDENTIALS.values()}
    assert all(list(row) == KEYS for row in rows.values())
    assert all(list(product) == PRODUCT_KEYS for row in rows.values() for product in row["products"])
    genova = rows["genova"]
    assert (genova["plan"], genova["credits"]) == ("business", 10000)
    videos = [product["name"] for product in genova["products"] if product["makes"] == ["video"]]
    assert videos == ["veo3_fast", "veo3_quality", "veo2_fast"]
    assert "stable diffusion v1.5" in [product["name"] for product in rows["algovera"]["products"]]
    assert "lists no techniques" in rows["flora"]["note"]
    assert not any(key in done.stdout + done.stderr for key in keys)


def test_credits_and_prices_that_nobody_tells_are_unknown_and_null(untouched: Sandbox) -> None:
    shown = genmedia("providers", "--sandbox", untouched.url, COLUMNS="160").stdout
    told = json.loads(genmedia("providers", "--json", "--sandbox", untouched.url).stdout)

    heads = {line.split()[0]: line for line in shown.splitlines() if untouched.url in line}
    assert heads["generio"].endswith("/generio  credits left: unknown")
    assert heads["genova"].endswith("/genova  plan business, credits left: 10000")
    assert "-> model/gltf-binary, price unknown" in shown
    (generio,) = [row for row in told if row["provider"] == "generio"]
    assert generio["credits"] is generio["products"][0]["price"] is None


async def test_templates_are_told_with_their_parameters_and_the_price_in_the_block(sandbox: Sandbox) -> None:
    credentials = block(GenerioCredentials, sandbox.new_account("generio")).model_copy(update={"price": 3})

    offer = await credentials.offer()

    (optimize,) = [product for product in offer.products if product.name == "model_optimize"]
    assert (optimize.takes, optimize.price) == (("model/gltf-binary",), 3)
    assert "int" in optimize.parameters["polygon_count"]


async def test_techniques_are_told_where_flora_lists_them(sandbox: Sandbox) -> None:
    offer = await block(FloraCredentials, sandbox.new_account(switches={"list_techniques": True})).offer()

    (blur,) = [product for product in offer.products if product.name == "studio-blur"]
    assert blur.takes == ("input_image (imageUrl)",)
    assert (blur.makes, offer.note) == (("imageUrl",), "")


def test_a_sandbox_that_does_not_run_is_told_in_a_line() -> None:
    done = genmedia("providers", "--sandbox", "http://127.0.0.1:9")

    assert done.returncode == 3
    assert "no sandbox answers at http://127.0.0.1:9" in done.stderr


async def test_algovera_finds_a_wrong_key_though_its_list_needs_none(sandbox: Sandbox) -> None:
    wrong = sandbox.new_account("algovera") | {"api_key": "0" * 64}
    credentials: Any = block(AlgoveraCredentials, wrong)

    for question in (credentials.offer, credentials.check):
        with pytest.raises(CredentialsError, match="403"):
            await question()


async def test_a_check_buys_nothing(sandbox: Sandbox) -> None:
    for kind in (AlgoveraCredentials, FloraCredentials, GenerioCredentials, GenovaCredentials):
        account = sandbox.new_account(kind.provider)

        await block(kind, account).check()
        await block(kind, account).offer()

        assert sandbox.account(account)["credits"] == account["credits"]
        assert sandbox.jobs(account) == []
