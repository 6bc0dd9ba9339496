"""Journals of both kinds for the tests of the library."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from genmedia.journal import Journal
from genmedia.store import Place
from tests.databases import Postgres


@pytest.fixture
def shared_url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a journal on PostgreSQL."""
    # The lease of a process that dies is waited for, here and in processes that tests start.
    monkeypatch.setenv("GENMEDIA_ANSWER_SECONDS", "4")
    monkeypatch.setattr("genmedia.journal.owners.LEASE_SECONDS", 6.0)
    monkeypatch.setattr("genmedia.journal.journal.ANSWER_SECONDS", 4.0)
    return postgres.new()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a journal, once of each kind."""
    return Place(str(tmp_path)).journal_url() if request.param == "sqlite" else request.getfixturevalue("shared_url")


@pytest.fixture
async def journal(url: str) -> AsyncGenerator[Journal]:
    """A journal, once of each kind."""
    async with Journal.lease(url) as journal:
        yield journal
