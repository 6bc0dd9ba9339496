"""The process that inspects and makes files. `genmedia.media.probe` starts it and keeps it; it never runs in the process that waits for jobs.

It inspects nothing itself. It answers each request with a fork of itself, which has imported what it needs already, and that inspects each
file in another fork, so that one file cannot break or use up what the next file needs. Where the system has no fork, `probe` starts a process
for each file, with the word `alone`: that inspects the file itself, within the same limits. A file is made in the same way as one is
inspected, within larger limits.
"""

import gc
import json
import os
import resource
import signal
import socket
import stat
import sys
import warnings
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from PIL import AvifImagePlugin, Image

from genmedia import errors
from genmedia.media.facts import MediaFacts, SmallCopy
from genmedia.media.picture import look_at_picture
from genmedia.media.sniffing import media_type_of, why_not_taken

Image.init()  # else each fork imports anew the formats that Pillow reads and writes

MEMORY_BYTES = 284 * 2**20
"""Most bytes that inspecting one file may allocate: with the libraries it stays below 300 MiB."""
CPU_SECONDS = 20
"""Longest computing time for one file, in seconds. A large model without faults takes a few."""

MAKING_BYTES = 2**30
"""Most bytes that making one file may allocate: a photo of 50 million pixels, and what is made of it."""
MAKING_SECONDS = 1200
"""Longest computing time for making one file, in seconds: a few minutes of video in 1920 x 1080."""


def _do(wish: dict[str, Any]) -> dict[str, Any]:
    """Do what is wished for one file: make it, or inspect it; return an empty object, its facts, or its error."""
    return _make(wish) if "operation" in wish else _look(wish)


def _make(making: dict[str, Any]) -> dict[str, Any]:
    from genmedia.media.operations import carry_out  # noqa: PLC0415 # only here: see `_facts`

    try:
        carry_out(making["operation"], list(map(Path, making["inputs"])), making["options"], Path(making["path"]))
    except errors.MediaError as error:
        return _error(error)
    except MemoryError:
        return _error(errors.MediaLimitError("making it takes more memory than allowed"))
    except OSError as error:  # such as a full disk
        return _error(errors.MediaLimitError(f"it could not be written: {error.strerror or error}"))
    return {}


def _look(candidate: dict[str, Any]) -> dict[str, Any]:
    path = Path(candidate["path"])
    small = SmallCopy(**candidate["small"]) if candidate["small"] else None
    try:
        return asdict(_facts(path, candidate["kind"], small))
    except errors.MediaError as error:
        return _error(error)
    except MemoryError:
        return _error(errors.MediaLimitError("decoding it takes more memory than allowed"))


def _error(error: errors.MediaError) -> dict[str, Any]:
    return {"error": type(error).__name__, "what": error.what}


def _facts(path: Path, expected: str, small: SmallCopy | None) -> MediaFacts:
    media_type = _sniff(path)
    if why := why_not_taken(media_type, expected):
        raise errors.MediaTypeError(why)
    kind = media_type.split("/")[0]
    # Videos and models need libraries that double the time in which this process starts, and take memory from what a picture may have.
    if kind == "video":
        from genmedia.media.video import look_at_video  # noqa: PLC0415 - see above

        return look_at_video(path, media_type, small)
    if kind == "model":
        from genmedia.media.model_files import look_at_model  # noqa: PLC0415 - see above

        return look_at_model(path, media_type, small)
    if kind == "audio":
        from genmedia.media.sound import look_at_sound  # noqa: PLC0415 # see above

        return look_at_sound(path, media_type)
    return look_at_picture(path, media_type, small)


def _sniff(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits, and a device has no end
            raise errors.MediaTypeError("it is a folder" if path.is_dir() else "it is a pipe, a socket or a device, not a file")
        with path.open("rb") as file:
            return media_type_of(file.read(2**16))
    except (OSError, ValueError) as error:
        raise errors.DamagedMediaError(f"it cannot be read: {getattr(error, 'strerror', error)}") from None


def work_within_limits(wish: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Inspect or make files within the limits, which this process has from now on; return for each, in order, what `_do` returns.

    Args:
        wish: All candidates to inspect, or all files to make, as objects of JSON.
    """
    makes = any("operation" in one for one in wish)
    told = f"{'making' if makes else 'looking at'} it takes more than {_limit(makes=makes)} s of computing"
    return [_do_alone(one, told) for one in wish]


def _limit(*, makes: bool) -> int:
    """Set the limits that this process, and each that it forks, has from now on; return that of computing time, in seconds."""
    memory, seconds = (MAKING_BYTES, MAKING_SECONDS) if makes else (MEMORY_BYTES, CPU_SECONDS)
    warnings.simplefilter("ignore")  # Pillow's own warnings about a file; ours are in the facts
    Image.MAX_IMAGE_PIXELS = None  # our limit is lower than Pillow's, and has a message of its own
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's: each thread reserves memory
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return seconds


def _do_alone(wish: dict[str, Any], too_long: str) -> dict[str, Any]:
    """Do what is wished for one file in a fork of this process; `too_long` is the fault of one that takes too long."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # libtiff writes to the terminal
        with os.fdopen(writer, "w") as answer:
            json.dump(_do(wish), answer, allow_nan=False)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        told = answer.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended == -signal.SIGXCPU:
        return _error(errors.MediaLimitError(too_long))
    if ended < 0:
        return _error(errors.MediaLimitError("the process that worked on it was killed, most likely for want of memory"))
    return json.loads(told) if not ended else _error(errors.DamagedMediaError("the process that worked on it broke"))


def _answer(asked: socket.socket) -> None:
    """Answer one request: write this process's number in a line, read the list of candidates to its end, write the list of results."""
    os.setsid()  # all processes that inspect files for this request are ended together
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # when the process that asked was killed, this one ends without a message
    with asked.makefile("rw", encoding="utf-8") as talk:
        print(os.getpid(), file=talk, flush=True)
        try:
            wish = cast("list[dict[str, Any]]", json.load(talk))
        except ValueError:  # the process that asked was killed before it had sent the whole list
            return
        json.dump(work_within_limits(wish), talk, allow_nan=False)


def _wait_for_ended(*_: object) -> None:
    """Wait for the forks that have ended, so that what they have computed is counted for this process."""
    with suppress(ChildProcessError):  # none is left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(control: socket.socket) -> None:
    """Answer requests until the process that sends them has ended; each request is one end of a connected socket."""
    signal.signal(signal.SIGCHLD, _wait_for_ended)
    gc.freeze()  # else a look for garbage in a fork copies all that is imported
    while True:
        _, (*sockets,), _, _ = socket.recv_fds(control, 1, 1)
        if not sockets:
            return
        with socket.socket(fileno=sockets[0]) as asked:
            if not os.fork():
                status = 1
                try:
                    control.close()
                    _answer(asked)
                    status = 0
                finally:
                    os._exit(status)  # not beyond: the loop is that of the process that was copied


if __name__ == "__main__":
    if sys.argv[1:] == ["alone"]:
        alone = cast("dict[str, Any]", json.load(sys.stdin))
        _limit(makes="operation" in alone)
        json.dump([_do(alone)], sys.stdout, allow_nan=False)
    else:
        with socket.socket(fileno=sys.stdin.fileno()) as inherited:
            _serve(inherited)
