"""Two stores with a journal of their own: what was bought for the one is told before it is bought for the other."""

import logging
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from blocks import AssetStore, GenovaCredentials
from blocks.loading import load_all, load_stores
from deployments.local_run import run_here
from flows.image_batch import image_batch
from tests.studio import Studio


@pytest.fixture
async def second(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another saved store, with a journal of its own."""
    name = f"{genova.name}-second"
    await AssetStore(root=str(tmp_path_factory.mktemp("second"))).asave(name)
    return name


def warnings_of(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


async def test_what_another_stores_journal_answers_for_is_told_before_it_is_bought_again(
    genova: Studio, second: str, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = {"name": "mugs", "prompts": ["a mug", "a jug"], "account": genova.name}
    first = await run_here(image_batch, {**parameters, "prompts": ["a mug"], "store": genova.name})
    assert first.name == "Completed"
    assert "were bought for the store" not in warnings_of(caplog)

    again = await run_here(image_batch, {**parameters, "store": second})

    assert again.name == "Completed"
    key = first.result[0].assets[0].sidecar.submission_key[:12]
    told = f"1 of the submissions that are about to be bought were bought for the store {genova.name} before, by its own journal: {key}"
    assert told in warnings_of(caplog)
    caplog.clear()
    assert (await run_here(image_batch, {**parameters, "store": second})).name == "Completed"
    assert "were bought for the store" not in warnings_of(caplog), "nothing was to be bought any more"


async def test_a_journal_that_does_not_answer_is_named_and_holds_no_run_up(
    genova: Studio, second: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("flows.other_journals.ASK_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        address = f"postgresql://somebody:secret-word@127.0.0.1:{silent.getsockname()[1]}/journal"
        await AssetStore(root=str(tmp_path), journal=SecretStr(address)).asave(second, overwrite=True)

        ended = await run_here(image_batch, {"name": "mugs", "prompts": ["a mug"], "account": genova.name, "store": genova.name})

    assert ended.name == "Completed"
    assert f"whether this was bought for the store {second} is not known: its journal did not answer in 0.5 s" in warnings_of(
        caplog
    )
    assert "secret-word" not in caplog.text


async def test_saved_blocks_are_read_in_one_answer_so_that_none_of_them_can_go_in_between(
    genova: Studio, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> NoReturn:
        raise ObjectNotFound(LookupError("removed meanwhile"))

    with monkeypatch.context() as patch:
        patch.setattr("prefect.client.orchestration.PrefectClient.read_block_document_by_name", gone)
        stores = {name: store for _, name, store in await load_all([AssetStore])}
        assert stores.keys() == (await load_stores()).keys()
        accounts = {name: account for _, name, account in await load_all([GenovaCredentials])}

    assert isinstance(stores[genova.name], AssetStore)
    assert isinstance(stores[second], AssetStore)
    mine = accounts[genova.name]
    assert isinstance(mine, GenovaCredentials)
    assert str(mine.payer) == str(genova.credentials.payer)
