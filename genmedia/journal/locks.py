"""Locks that tell which process works on an attempt, and if it still lives.

Each process that buys holds an exclusive lock on a file of its own beside the journal. The kernel frees it when the process dies,
however it dies, so an intent whose owner's lock can be taken has nobody working on it. This serves journals on one machine.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import uuid4

from genmedia.store.private import make_folder, opener

_IDENTITY = "identity"
"""Name of a file beside the locks; its content differs for every folder of locks on every machine."""

_held: dict[Path, tuple[str, int]] = {}
"""Name of this process in each folder, and the descriptor of its lock there."""

_own: dict[str, int] = {}
"""Every name that this process has had, also one whose lock was removed, with the pid: a fork has none of its parent's names."""


def own_name(folder: Path) -> str:
    """This process's name as an owner in `folder`; its lock is taken with the first call and held until the process ends.

    If somebody has removed its lock, other processes take it for dead: with the next call it gets another name.
    """
    if folder in _held:
        name, lock = _held[folder]
        if is_held(folder, name):
            return name
        if _is_own(name):
            os.close(lock)  # its file is gone; a fork's copy of its parent's lock is left alone
    make_folder(folder)
    for left_over in folder.glob("*.lock"):
        is_alive(folder, left_over.stem)  # removes the locks of the dead
    while True:
        name = uuid4().hex
        path = folder / f"{name}.lock"
        lock = opener(path, os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():  # else another process took the new, not yet locked file for that of a dead process
            _held[folder], _own[name] = (name, lock), os.getpid()
            return name
        os.close(lock)


def is_held(folder: Path, name: str) -> bool:
    """True if this process's name is `name`, and its lock is where other processes look for it."""
    known, lock = _held.get(folder, ("", -1))
    if name != known or not _is_own(name):
        return False
    try:
        return os.path.samestat(os.fstat(lock), (folder / f"{name}.lock").stat())
    except OSError:
        return False


def is_alive(folder: Path, name: str) -> bool:
    """True if the process that got this name from `own_name` still runs; always True for a name of this process, even without its lock."""
    if _is_own(name):
        return True
    try:
        lock = os.open(folder / f"{name}.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    (folder / f"{name}.lock").unlink(missing_ok=True)
    return False


def world_name(folder: Path) -> str:
    """Return this process's name for all machines: the folder of its lock, the identity of that folder, and its name there.

    Raises:
        OSError: The folder cannot be made or written.
    """
    make_folder(folder)
    if not (folder / _IDENTITY).exists():
        with NamedTemporaryFile("w", dir=folder) as new:  # so that no process sees half of it
            new.write(uuid4().hex)
            new.flush()
            with suppress(FileExistsError):
                (folder / _IDENTITY).hardlink_to(new.name)
    return "|".join((str(folder), (folder / _IDENTITY).read_text(), own_name(folder)))


def is_gone(name: str) -> bool:
    """True if the process that got this name from `world_name` has certainly ended; False also where its folder cannot be seen from here."""
    try:
        folder, identity, own = name.rsplit("|", 2)
        return (Path(folder) / _IDENTITY).read_text() == identity and not is_alive(Path(folder), own)
    except (OSError, ValueError):
        return False


def _is_own(name: str) -> bool:
    return _own.get(name) == os.getpid()
