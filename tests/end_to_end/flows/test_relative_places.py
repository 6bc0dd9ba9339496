"""A store whose place is relative is in one folder, the project's; a run whose files are elsewhere refuses it before it buys."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks import AssetStore
from deployments.local_run import run_here
from flows.text_to_image import text_to_image
from genmedia.errors import SettingsError
from tests.checkouts import make_checkout
from tests.end_to_end.flows.workers import Run, start, until
from tests.sandboxes import Sandbox
from tests.studio import Studio

RELATIVE = "sqlite:///.genmedia/relative.db"


@pytest.fixture
async def algovera(prefect: str, sandbox: Sandbox, tmp_path: Path) -> Studio:
    studio = Studio(sandbox, sandbox.new_account("algovera"), tmp_path)
    await studio.save_blocks()
    return studio


async def save(studio: Studio, root: str, journal: str) -> None:
    await AssetStore(root=root, journal=SecretStr(journal)).asave(studio.name, overwrite=True)


def wish(studio: Studio) -> dict[str, Any]:
    return {"name": "sheet", "prompts": ["a red kite"], "seeds": [1], **studio.parameters}


async def ended(run: Run) -> str:
    await until(lambda: run.state in ("Completed", "Refused", "Failed", "Crashed"))
    return run.state


async def test_a_run_in_a_clone_refuses_a_relative_store_and_buys_nothing(
    prefect: str, pool: str, algovera: Studio, tmp_path: Path
) -> None:
    await save(algovera, "media", RELATIVE)
    checkout, bare = make_checkout(tmp_path / "checkout"), tmp_path / "bare.git"
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "the rooms")):
        subprocess.run(["git", "-C", str(checkout), *words], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(checkout), str(bare)], check=True)

    run = await start(prefect, pool, text_to_image, wish(algovera), pull={"git_clone": {"repository": str(bare)}})

    assert await ended(run) == "Refused", run.message
    for part in ("place", "journal"):
        assert f"its {part} is relative and would be" in run.message
    assert "its deployment gets its files by prefect.deployments.steps.git_clone" in run.message
    assert "Write an absolute folder such as /srv/media" in run.message
    assert algovera.jobs == []


async def test_a_run_in_the_projects_folder_has_a_relative_place_there(
    prefect: str, pool: str, algovera: Studio, tmp_path: Path
) -> None:
    await save(algovera, "media", "")
    checkout = make_checkout(tmp_path / "checkout")

    run = await start(prefect, pool, text_to_image, wish(algovera), pull={"set_working_directory": {"directory": str(checkout)}})

    assert await ended(run) == "Completed", run.message
    assert (checkout / "media" / ".genmedia" / "journal.db").is_file()
    assert len(algovera.jobs) == 1


async def test_a_run_in_the_projects_folder_has_a_relative_journal_there(
    algovera: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(algovera, str(algovera.root / "media"), RELATIVE)
    checkout = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(checkout)

    ended = await run_here(text_to_image, wish(algovera))

    assert ended.name == "Completed", ended.message
    assert (checkout / ".genmedia" / "relative.db").is_file()
    assert len(algovera.jobs) == 1


@pytest.mark.parametrize("relative", ["place", "journal"])
async def test_a_run_outside_of_any_project_refuses_a_relative_store(
    algovera: Studio, relative: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if relative == "place":
        await save(algovera, "media", "")
    else:
        await save(algovera, str(algovera.root / "media"), RELATIVE)
    monkeypatch.chdir(tmp_path)

    ended = await run_here(text_to_image, wish(algovera))

    assert isinstance(ended.result, SettingsError)
    meant = tmp_path / ("media" if relative == "place" else ".genmedia/relative.db")
    assert f"its {relative} is relative and would be {'' if relative == 'place' else 'sqlite:///'}{meant}" in str(ended.result)
    assert "there is no genmedia project there" in str(ended.result)
    assert algovera.jobs == []
