"""Exit codes of the commands, and what they mean: the help of each command tells those that it has."""

from collections.abc import Mapping
from types import MappingProxyType

DONE, FAILED, WRONG, UNREACHABLE, WAITS, TO_DO, STOPPED = 0, 1, 2, 3, 4, 10, 130

_OF_ALL = {
    DONE: "done",
    FAILED: "part of the work failed, or a check did",
    WRONG: "wrong usage, input or settings",
    UNREACHABLE: "a provider or a server cannot be reached, or refuses",
    STOPPED: "ended by Ctrl-C",
}
OF_RUN = {WAITS: "people have to decide before the rest is made"}
OF_APPLY = {FAILED: "part of the work failed, or you did not say yes", **OF_RUN}
OF_PLAN = {DONE: "nothing is to be bought or made", **OF_RUN, TO_DO: "something is to be bought, made or fetched again"}


def tell_codes(own: Mapping[int, str] = MappingProxyType({})) -> str:
    """Return a sentence about the exit codes that all commands have, and about a command's own, which may say more of those of all."""
    return f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in sorted({**_OF_ALL, **own}.items()))}."


EVERY = tell_codes({WAITS: f"{OF_RUN[WAITS]} (apply, plan, run)", TO_DO: f"{OF_PLAN[TO_DO]} (plan)"})
"""A sentence about the exit codes of all commands."""
