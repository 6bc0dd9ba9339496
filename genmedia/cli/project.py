"""Finding the project that holds the flows: the wheel has the library only; flows, tasks, blocks and deployments run from a checkout."""

import ast
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmedia.errors import SettingsError

FORMS = "genmedia.campaign.forms"
"""The package with the forms of the flows that buy."""

_ADVICE = "Clone the genmedia repository, and run this inside it or with --project FOLDER."


@dataclass(frozen=True)
class Deployment:
    """One deployment, or one preset, as prefect.yaml declares it."""

    name: str
    description: str
    entrypoint: str
    parameters: dict[str, Any]

    @property
    def flow_name(self) -> str:
        """The name that Prefect gives the flow by its function."""
        return self.entrypoint.rpartition(":")[2].replace("_", "-")


@dataclass(frozen=True)
class Project:
    """A checkout: the folder with prefect.yaml, flows, tasks, blocks and deployments."""

    folder: Path

    @property
    def deployments(self) -> list[Deployment]:
        """All deployments in prefect.yaml, in its order."""
        return self._declared("deployments")

    @property
    def presets(self) -> list[Deployment]:
        """All deployments in prefect.yaml, and its presets for the command line alone."""
        return self._declared("deployments", "presets")

    @property
    def campaigns(self) -> list[Path]:
        """The campaigns' files that prefect.yaml names, to be deployed with its deployments."""
        return [self.folder / one for one in self._read().get("campaigns", [])]

    def _read(self) -> dict[str, Any]:
        import yaml  # noqa: PLC0415 # most commands do not read it

        return yaml.safe_load((self.folder / "prefect.yaml").read_text(encoding="utf-8"))

    def _declared(self, *lists: str) -> list[Deployment]:
        declared = self._read()
        return [
            Deployment(one["name"], one.get("description") or "", one["entrypoint"], one.get("parameters") or {})
            for each in lists
            for one in declared.get(each, [])
        ]

    def preset(self, name: str) -> Deployment:
        """The deployment or preset of this name in prefect.yaml.

        Raises:
            SettingsError: There is none.
        """
        for one in self.presets:
            if one.name == name:
                return one
        raise SettingsError(f"{self.folder / 'prefect.yaml'} has no deployment and no preset {name!r}")

    def form(self, entrypoint: str) -> Callable[..., Any] | None:
        """Find the form of the library that a flow has, without importing the flow, and Prefect with it; None for any other flow.

        Such a flow's module imports the form from the package of forms, and defines no function of the flow's name itself.
        """
        file, _, name = entrypoint.partition(":")
        try:
            statements = ast.parse((self.folder / file).read_text(encoding="utf-8")).body
        except (OSError, SyntaxError, ValueError):
            return None  # to load it tells why
        imported = {
            one.name for each in statements if isinstance(each, ast.ImportFrom) and each.module == FORMS for one in each.names
        }
        defined = {each.name for each in statements if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        return getattr(importlib.import_module(f"{FORMS}.{name}"), name) if name in imported - defined else None

    def load(self, entrypoint: str) -> Any:
        """Load the object that an entrypoint such as `flows/technique_chain.py:technique_chain` names.

        Raises:
            SettingsError: The module comes from somewhere else, for instance from another package of that name.
        """
        file, _, name = entrypoint.partition(":")
        module = self.module(file.removesuffix(".py").replace("/", "."))
        return getattr(module, name)

    def module(self, name: str) -> Any:
        """Import a module of the project, by its dotted name."""
        if "prefect" not in sys.modules:
            from genmedia.cli.services import join_prefect  # noqa: PLC0415 # the list of flows should not wait for what it needs

            join_prefect(self.folder / ".genmedia")
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        module = importlib.import_module(name)
        if not Path(str(module.__file__)).resolve().is_relative_to(self.folder):
            raise SettingsError(f"{name} comes from {module.__file__}, not from {self.folder}", advice=_ADVICE)
        return module


def find_project(folder: Path | None = None) -> Project:
    """Find the project in `folder`, or upwards from the working directory.

    Raises:
        SettingsError: There is no prefect.yaml with a folder `flows` beside it.
    """
    start = (folder or Path.cwd()).resolve()
    for candidate in [start] if folder else [start, *start.parents]:
        if (candidate / "prefect.yaml").is_file() and (candidate / "flows").is_dir():
            return Project(candidate)
    raise SettingsError(f"there is no genmedia project at {start}", advice=_ADVICE)
