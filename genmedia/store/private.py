"""Files and folders that others cannot read, whatever the umask says: they hold prompts and what was bought.

Only their owner may use them. Their group may too where it, but not everybody, may write into the folder that they are made in: somebody
has shared that folder on purpose. A folder that is there already keeps its mode.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_WRITERS = stat.S_IWGRP | stat.S_IWOTH


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    if _is_shared(folder.parent):
        with suppress(OSError):  # not every file system has modes
            # Bits that the system has set stay, such as the one that gives files in it to the group.
            folder.chmod(folder.stat().st_mode | stat.S_IRWXG)


def own_folder(folder: Path) -> Path:
    """Make a folder that only this user may use, where everybody may make folders, such as in `/tmp`; return it.

    Raises:
        PermissionError: Another user has made it first, or put a link in its place.
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, f"{folder} is another user's, or no folder")
    folder.chmod(0o700)
    return folder


def file_mode(folder: Path) -> int:
    """Return the mode for a file in a folder: 0o660 where the folder is shared with its group, else 0o600."""
    return 0o660 if _is_shared(folder) else 0o600


def opener(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file for `open`; one that is written gets the mode of `file_mode`, even if it was there with another."""
    descriptor = os.open(path, flags, 0o600)
    if flags & os.O_CREAT:
        _close_to_others(descriptor, Path(path).parent)
    return descriptor


def _close_to_others(file: Path | int, folder: Path) -> None:
    found = os.stat(file)  # noqa: PTH116 # of a path or a descriptor
    if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) != (mode := file_mode(folder)):
        with suppress(OSError):  # a file of another user keeps its mode
            os.chmod(file, mode)  # noqa: PTH101 # as above


def make_file(file: Path) -> None:
    """Make an empty file where there is none; one that is there gets the mode of `file_mode`.

    Raises:
        OSError: It cannot be made.
    """
    if file.exists():
        _close_to_others(file, file.parent)  # not opened: closing it would free the locks that SQLite holds on it in this process
    else:
        os.close(opener(file, os.O_CREAT | os.O_WRONLY))


def _is_shared(folder: Path) -> bool:
    return folder.stat().st_mode & _WRITERS == stat.S_IWGRP
