"""Lineage: what each file of a store was made of and what was made of it, across steps, campaigns and providers."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from genmedia.errors import SettingsError
from genmedia.media.hashing import hash_file
from genmedia.provenance.reading import Asset
from genmedia.store.sidecar import Input

SHORTEST = 6
"""Fewest digits of a SHA-256 that name a file."""

LEVELS = 100
"""Most steps that a lineage is followed."""

_ADVICE = f"Name a path in the store, a file on this machine, or the first {SHORTEST} or more digits of a SHA-256."


Thing = Asset | Input
"""An asset of the store; or a file, an address or a text that went into one."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One thing in a lineage.

    Attributes:
        input: Name of the input as which it went into the operation; empty for the beginning of a tree.
        kind: `asset`, `file`, `url` or `text`.
        name: An asset's path in the store, a file's path, an address, or a text itself.
        sha256: Hash of an asset or file.
        provider: Provider of an asset; only an asset has this and the five fields that follow.
        again: True if it stands earlier in the tree, with its branches, which are left out here.
        deeper: True if its branches are left out because it is `LEVELS` steps from the beginning.
        branches: The things it was made of; or the things that were made of it.
    """

    input: str
    kind: str
    name: str
    sha256: str | None = None
    provider: str | None = None
    account: str | None = None
    operation: str | None = None
    take: int | None = None
    charged: float | None = None
    unit: str | None = None
    again: bool = False
    deeper: bool = False
    branches: tuple["Branch", ...] = ()


class Lineage:
    """The lineage of everything in a store.

    An input is the asset that the sidecar names, if its content is still the same; else the latest asset with the same content that was
    stored no later.

    Args:
        assets: All assets of the store.
    """

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._assets = {asset.path: asset for asset in assets}
        self._same: dict[str, list[Asset]] = defaultdict(list)
        for asset in sorted(self._assets.values(), key=lambda one: one.sidecar.times.stored):
            for digest in {asset.sidecar.file.sha256, asset.sidecar.file.came_as}:
                self._same[digest].append(asset)
        self._made_of = {asset.path: self._inputs(asset) for asset in self._assets.values()}
        self._went_into: dict[str, list[tuple[Input, Asset]]] = defaultdict(list)
        for path, inputs in self._made_of.items():
            for given, parent in inputs:
                self._went_into[_key(parent or given)].append((given, self._assets[path]))

    def _inputs(self, asset: Asset) -> list[tuple[Input, Asset | None]]:
        told = asset.sidecar
        prompt = told.request.get("prompt")
        words = [Input(id="prompt", text=prompt)] if isinstance(prompt, str) and prompt else []
        return [(given, self._parent(asset, given)) for given in [*words, *told.inputs]]

    def _parent(self, asset: Asset, given: Input) -> Asset | None:
        named = self._assets.get(given.asset or "")
        if named and (given.sha256 is None or given.sha256 in (named.sidecar.file.sha256, named.sidecar.file.came_as)):
            return named
        earlier = [
            one
            for one in self._same.get(given.sha256 or "", [])
            if one.sidecar.times.stored <= asset.sidecar.times.stored
            and one.sidecar.submission_key != asset.sidecar.submission_key
        ]
        return earlier[-1] if earlier else None

    def find(self, name: str) -> list[Thing]:
        """Find the files that a name stands for; several if files have the same content.

        Args:
            name: A path in the store; a file on this machine, told by its content; or the first digits of a SHA-256.

        Raises:
            SettingsError: There is no such file here, or the digits are those of several.
        """
        if name in self._assets:
            return [self._assets[name]]
        digest = hash_file(Path(name)) if Path(name).is_file() else self._whole_digest(name)
        if digest in self._same:
            return [*self._same[digest]]
        if digest in self._went_into:
            return [self._went_into[digest][0][0]]
        raise SettingsError(f"{name} is no file of the store and none that went into it", money="", advice=_ADVICE)

    def _whole_digest(self, digits: str) -> str:
        known = {*self._same, *(one.sha256 for inputs in self._made_of.values() for one, _ in inputs if one.sha256)}
        fitting = [one for one in known if len(digits) >= SHORTEST and one.startswith(digits.lower())]
        if len(fitting) > 1:
            raise SettingsError(f"{digits} begins the SHA-256 of {len(fitting)} files", money="", advice="Give more of it.")
        return fitting[0] if fitting else ""

    def before(self, thing: Thing) -> Branch:
        """The tree of what it was made of, down to files, addresses and texts."""

        def made_of(thing: Thing) -> list[tuple[str, Thing]]:
            inputs = self._made_of[thing.path] if isinstance(thing, Asset) else []
            return [(given.id, parent or given) for given, parent in inputs]

        return _grow(thing, made_of)

    def after(self, thing: Thing) -> Branch:
        """The tree of everything that was made of it."""

        def went_into(thing: Thing) -> list[tuple[str, Thing]]:
            return [(given.id, child) for given, child in self._went_into.get(_key(thing), [])]

        return _grow(thing, went_into)


def _grow(root: Thing, next_to: Callable[[Thing], list[tuple[str, Thing]]]) -> Branch:
    shown: set[str] = set()

    def grow(name: str, thing: Thing, level: int) -> Branch:
        key, following = _key(thing), next_to(thing)
        again = key in shown and bool(following)
        deeper = level == LEVELS and bool(following) and not again
        shown.add(key)
        branches = () if again or deeper else tuple(grow(*one, level + 1) for one in following)
        return replace(_bare(name, thing), again=again, deeper=deeper, branches=branches)

    return grow("", root, 0)


def _bare(name: str, thing: Thing) -> Branch:
    if isinstance(thing, Input):
        kind = "text" if thing.text else "url" if "://" in thing.source else "file"
        return Branch(input=name, kind=kind, name=thing.text or thing.source, sha256=thing.sha256)
    told = thing.sidecar
    return Branch(
        input=name,
        kind="asset",
        name=thing.path,
        sha256=told.file.sha256,
        provider=told.provider,
        account=told.account_name,
        operation=told.operation,
        take=told.take,
        charged=told.cost.charged,
        unit=told.cost.unit,
    )


def _key(thing: Thing) -> str:
    """Identifier of a thing: the path of an asset, the SHA-256 of a file, the text itself."""
    return thing.path if isinstance(thing, Asset) else thing.sha256 or f"text: {thing.text}"
