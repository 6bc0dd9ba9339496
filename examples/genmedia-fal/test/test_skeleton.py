"""The package that `make provider` writes: it passes the checks of genmedia, and its own tests run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("INSTALLED_", "PYTHONPATH"))}
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, env=outside, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which a provider called acme was begun; all but its `examples` is this one."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in CHECKOUT.iterdir():
        if path.name not in ("examples", ".git", "media"):
            (folder / path.name).symlink_to(path)
    shutil.copytree(CHECKOUT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__", "genmedia-acme"))
    written = run("examples/new_provider.py", "acme", folder=folder)
    assert written.returncode == 0, written.stderr
    return folder


def test_it_passes_ruff_and_pyright(checkout: Path) -> None:
    package = Path("examples/genmedia-acme")
    formatted = run("-m", "ruff", "format", package, folder=checkout)
    linted = run("-m", "ruff", "check", "--no-cache", package, folder=checkout)
    typed = run("-m", "pyright", "-p", package, folder=checkout)

    assert [formatted.returncode, linted.returncode, typed.returncode] == [0, 0, 0], linted.stdout + typed.stdout


def test_its_contract_tests_are_collected_and_one_of_them_runs(checkout: Path) -> None:
    tests = "examples/genmedia-acme/test/test_client.py"
    one = "test_a_job_is_bought_once_watched_to_its_end_and_its_file_fetched"
    collected = run("-m", "pytest", "-q", "--collect-only", tests, folder=checkout)
    passed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"{tests}::TestContract::{one}", folder=checkout)

    assert collected.returncode == 0, collected.stdout
    assert collected.stdout.count("TestContract") > 50
    assert "1 passed" in passed.stdout, passed.stdout + passed.stderr


def test_nothing_in_it_calls_a_host_of_fal_or_of_anybody(checkout: Path) -> None:
    written = "".join(path.read_text() for path in (checkout / "examples" / "genmedia-acme").rglob("*.py"))

    assert "fal.run" not in written
    assert "fal.ai" not in written
    assert "https://queue.acme.example" in written


@pytest.mark.parametrize("name", ["Acme", "a-b", "", "7up"])
def test_a_name_that_no_package_can_have_is_refused(checkout: Path, name: str) -> None:
    refused = run("examples/new_provider.py", name, folder=checkout)

    assert refused.returncode != 0
    assert "cannot be a provider's name" in refused.stderr
    assert [path.name for path in (checkout / "examples").glob("genmedia-*")].count(f"genmedia-{name}") == 0


def test_what_is_there_is_not_written_over(checkout: Path) -> None:
    assert "is there already" in run("examples/new_provider.py", "acme", folder=checkout).stderr
