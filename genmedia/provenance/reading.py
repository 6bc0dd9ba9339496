"""All sidecars of a store, read once for whoever needs them."""

from dataclasses import dataclass

from genmedia.provenance.sidecar import ForeignError, Sidecar, read_sidecar
from genmedia.store import Store
from genmedia.store.template import may_be_sidecar


@dataclass(frozen=True)
class Asset:
    """What a store tells of one file.

    Attributes:
        path: Where it stands below the root, whatever its sidecar says, for the store may have been moved.
        sidecar: What it says.
        content: The sidecar's own bytes.
        present: Whether the file itself is there.
    """

    path: str
    sidecar: Sidecar
    content: bytes
    present: bool = True


@dataclass(frozen=True)
class LeftOut:
    """What stands beside a file as its sidecar would, and why it is none."""

    path: str
    why: str


@dataclass(frozen=True)
class Contents:
    """What is in a store.

    Attributes:
        assets: Everything that its sidecars tell, in order of path.
        left_out: The sidecars that do not read.
        there: The path of every file.
    """

    assets: list[Asset]
    left_out: list[LeftOut]
    there: frozenset[str]


async def read_assets(store: Store) -> Contents:
    """Look at every file and read every sidecar of a store; JSON of other programs is none, wherever it stands.

    Raises:
        StoreError: The store cannot be read.
    """
    there = frozenset([path async for path in store.files.walk()])
    notes = sorted(filter(may_be_sidecar, there))
    found: list[Asset] = []
    left_out: list[LeftOut] = []
    async for note, content in store.read_all(notes):
        path = note.removesuffix(".json")
        try:
            found.append(Asset(path, read_sidecar(content), content, path in there))
        except ForeignError:
            continue
        except ValueError as error:
            if path in there:  # else it is somebody's own file
                left_out.append(LeftOut(note, str(error)))
    return Contents(found, left_out, there)
