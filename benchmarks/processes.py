"""Processes of this machine, as Linux shows them in /proc: what they and their descendants have computed, and their end."""

import os
import select
import signal
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Process:
    """One process: its parent and session, its own CPU seconds, and those of its children that have ended and were waited for."""

    parent: int
    session: int
    own: float
    ended: float


def _all() -> dict[int, _Process]:
    found: dict[int, _Process] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended just now
            fields = file.read_text().rpartition(")")[2].split()  # a name may have blanks and brackets; see proc(5)
            user, system, children_user, children_system = (int(one) / TICKS for one in fields[11:15])
            found[int(file.parent.name)] = _Process(
                int(fields[1]), int(fields[3]), user + system, children_user + children_system
            )
    return found


def _descendants(root: int, processes: dict[int, _Process]) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for number, process in processes.items():
        children[process.parent].append(number)
    found = [root]
    for number in found:
        found += children[number]
    return found[1:]


def cpu_seconds(root: int) -> tuple[float, float]:
    """CPU seconds of a process until now, and those of all processes that it has started, directly or not."""
    processes = _all()
    below = [processes[number] for number in _descendants(root, processes)]
    return processes[root].own, processes[root].ended + sum(one.own + one.ended for one in below)


def kill_session(session: int) -> None:
    """Kill all processes of a session, and all that they have started, whatever session those are in; return when they have ended."""
    processes = _all()
    members = [number for number, process in processes.items() if process.session == session]
    for number in {*members, *(one for member in members for one in _descendants(member, processes))}:
        with suppress(ProcessLookupError):
            process = os.pidfd_open(number)
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])  # readable once it has ended; see pidfd_open(2)
            finally:
                os.close(process)
