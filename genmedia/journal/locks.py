"""Which process works on an attempt, and whether it still lives.

Each process that buys holds an exclusive lock on a file of its own beside the journal. The kernel frees it when the process dies,
however it dies, so an intent whose owner's lock can be taken has nobody working on it. This serves journals on one machine.
"""

import fcntl
import os
from pathlib import Path
from uuid import uuid4

_held: dict[Path, tuple[str, int]] = {}


def own_name(folder: Path) -> str:
    """This process's name as an owner in `folder`; its lock is taken with the first call and held until the process ends."""
    if folder in _held and _held[folder][1] == os.getpid():
        return _held[folder][0]
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob("*.lock"):
        is_alive(folder, left_over.stem)  # removes the locks of the dead
    while True:
        name = uuid4().hex
        path = folder / f"{name}.lock"
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():  # else another process took the new, not yet locked file for one of the dead
            _held[folder] = (name, os.getpid())
            return name
        os.close(lock)


def is_alive(folder: Path, name: str) -> bool:
    """Whether the process that `own_name` named so still runs."""
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
