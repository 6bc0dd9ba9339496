"""What each room may touch, and what importing the library costs: planted violations must be found."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import genmedia

PROJECT = Path(__file__).parents[1]
ROOMS = ("genmedia", "blocks", "tasks", "flows", "deployments")


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after a statement in a fresh interpreter."""
    program = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_make_runs_is_there() -> None:
    named = re.findall(r"\b(?:tests|benchmarks|docs|deployments)/[\w./]+", (PROJECT / "Makefile").read_text(encoding="utf-8"))

    assert named
    assert [one for one in named if not (PROJECT / one).exists()] == []


def test_no_journal_lies_in_the_projects_folder() -> None:
    assert list(PROJECT.glob("*.db")) == []


@pytest.mark.parametrize("statement", ["import genmedia", "import genmedia.cli.app", "import genmedia.providers.flora.client"])
def test_importing_the_library_loads_neither_prefect_nor_a_database(statement: str) -> None:
    assert loaded_by(statement).isdisjoint({"prefect", "sqlalchemy", "av", "PIL", "numpy"})


def test_importing_genmedia_itself_loads_nothing_of_others() -> None:
    assert loaded_by("import genmedia") - loaded_by("pass") <= {*sys.stdlib_module_names, "genmedia"}


def test_every_public_name_is_there_and_typed_as_it_is_loaded() -> None:
    source = ast.parse((PROJECT / "genmedia" / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        name.name: str(line.module)
        for block in source.body
        if isinstance(block, ast.If)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for name in line.names
    }

    assert set(genmedia.__all__) == {*typed, "__version__"}
    assert {name for name, room in typed.items() if getattr(genmedia, name) is not getattr(import_module(room), name)} == set()
    assert set(genmedia.__all__) <= set(dir(genmedia))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = genmedia.Nothing  # pyright: ignore[reportAttributeAccessIssue] # that there is none is what is tested


@pytest.mark.parametrize("room", ROOMS)
def test_whatever_is_written_as_json_is_json(room: str) -> None:
    """Python writes NaN and Infinity unless it is told not to; the sandbox may, where a script asks for it."""
    loose = [
        f"{path.relative_to(PROJECT)}:{call.lineno}"
        for path in (PROJECT / room).rglob("*.py")
        if "sandbox" not in path.parts
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("json.dump", "json.dumps")
        and "allow_nan=False" not in map(ast.unparse, call.keywords)
    ]
    assert loose == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms and their rules, to plant violations in."""
    for room in ROOMS:
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def check(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / command[0])
    return subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("genmedia/journal/keys.py", "import blocks.flora"),
        ("blocks/flora.py", "import tasks.flora"),
        ("tasks/flora.py", "import flows.technique_chain"),
        ("flows/technique_chain.py", "import deployments.bootstrap"),
        ("genmedia/sandbox/clock.py", "import genmedia.providers.flora.client"),
        ("genmedia/sandbox/clock.py", "import genmedia.purchasing.receive"),
        ("genmedia/providers/flora/client.py", "import genmedia.sandbox.clock"),
        ("genmedia/gallery/page.py", "import genmedia.sandbox.clock"),
        ("genmedia/journal/keys.py", "import prefect"),
        ("genmedia/transport/session.py", "import genmedia.campaign.plan"),
        ("genmedia/errors.py", "import genmedia.forms.validation"),
    ],
)
def test_a_planted_import_against_the_directions_is_found(copy: Path, file: str, line: str) -> None:
    assert check(copy, "lint-imports", "--no-cache").returncode == 0
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    assert check(copy, "lint-imports", "--no-cache").returncode == 1


def test_the_list_of_what_the_sandbox_may_not_import_is_whole() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    forbidden = next(one["forbidden_modules"] for one in contracts if one["name"] == "The sandbox imports no client")
    modules = {
        f"genmedia.{path.stem}"
        for path in (PROJECT / "genmedia").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert set(forbidden) == modules - {"genmedia.__init__", "genmedia.sandbox"}


def test_ruff_finds_prefect_in_the_library(copy: Path) -> None:
    with (copy / "genmedia" / "errors.py").open("a", encoding="utf-8") as source:
        source.write("\nfrom prefect import flow\n")

    found = check(copy, "ruff", "check", "--select", "TID251", "genmedia")

    assert found.returncode == 1
    assert "genmedia is a library without Prefect" in found.stdout
