"""Each test pays with an account of its own and stores in a folder of its own; the working directory is the project's folder."""

from pathlib import Path

import pytest

from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture
def algovera(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up at Algovera."""
    monkeypatch.chdir(Path(__file__).parents[2])
    return Studio(sandbox, sandbox.new_account("algovera"), tmp_path)


@pytest.fixture
def flora(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up at FLORA, with 1000 credits and the assets API."""
    monkeypatch.chdir(Path(__file__).parents[2])
    return Studio(sandbox, sandbox.new_account(credits=1000, settings={"advance": "looks"}, switches={"assets": True}), tmp_path)


@pytest.fixture
def genova(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up at Genova."""
    monkeypatch.chdir(Path(__file__).parents[2])
    return Studio(sandbox, sandbox.new_account("genova", plan="Pro"), tmp_path)


@pytest.fixture
def generio(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up at Generio."""
    monkeypatch.chdir(Path(__file__).parents[2])
    return Studio(sandbox, sandbox.new_account("generio"), tmp_path)
