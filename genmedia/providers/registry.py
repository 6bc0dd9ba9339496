"""Registry of the providers: those of this project, one line each, and those of installed packages.

A package registers a provider by an entry point of the group `genmedia.providers`, whose name is the provider's and whose value is a package
with the modules that `Provider` names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from genmedia.errors import SettingsError
from genmedia.providers.steps import StepKind

GROUP = "genmedia.providers"

BUILT_IN = (
    "flora",
    "genova",
    "generio",
    "algovera",
)

LOCAL = "genmedia.providers.local.steps"
"""The module of the kinds of steps that are done on this machine: they belong to no provider."""


@dataclass(frozen=True)
class Provider:
    """Modules of one provider.

    Attributes:
        name: As it stands in journals and sidecars.
        steps: The module of its kinds of steps, which has `KINDS`, and its name for people as `TITLE`.
        blocks: The module of its credentials block, which has `CREDENTIALS`.
        tasks: The module of its Prefect tasks, which has `TASKS`.
    """

    name: str
    steps: str
    blocks: str
    tasks: str

    @property
    def kinds(self) -> tuple[StepKind[Any], ...]:
        """Kinds of steps that a campaign may have of this provider."""
        return import_module(self.steps).KINDS

    @property
    def cap_note(self) -> str:
        """Text that follows `In …'s own credits` in the form where a person names a cap; empty for none."""
        return getattr(import_module(self.steps), "CAP_NOTE", "")

    @property
    def title(self) -> str:
        """Name of the provider for people."""
        return import_module(self.steps).TITLE


@cache
def providers() -> Mapping[str, Provider]:
    """Return every provider by its name.

    Raises:
        SettingsError: Two providers have the same name.
    """
    found = {name: Provider(name, f"genmedia.providers.{name}.steps", f"blocks.{name}", f"tasks.{name}") for name in BUILT_IN}
    for one in entry_points(group=GROUP):
        new = Provider(one.name, f"{one.value}.steps", f"{one.value}.blocks", f"{one.value}.tasks")
        if found.setdefault(one.name, new) != new:
            raise _two("providers are called", one.name, found[one.name].steps, new.steps)
    return found


@cache
def kinds() -> tuple[StepKind[Any], ...]:
    """Return the kinds of steps of all providers, and those of this machine.

    Raises:
        SettingsError: Two kinds have the same `tag`.
    """
    found: dict[str, StepKind[Any]] = {}
    for kind in (*(kind for provider in providers().values() for kind in provider.kinds), *import_module(LOCAL).KINDS):
        if found.setdefault(kind.tag, kind) is not kind:
            raise _two("kinds of steps have the field", kind.tag, found[kind.tag].provider, kind.provider)
    return tuple(found.values())


def _two(what: str, name: str, first: str, second: str) -> SettingsError:
    return SettingsError(f"two {what} {name}: {first} and {second}", advice="Uninstall the package of one of them.")


def kind_of(step: Any) -> StepKind[Any]:
    """Return the kind of a step, by the class of its form."""
    return next(kind for kind in kinds() if type(step) in kind.forms.values())
