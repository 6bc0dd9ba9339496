"""Live progress on a terminal, plain lines in a pipe: the time since the start, the number of steps that are over, and the status of each."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from genmedia.cli.printing import Console
from genmedia.progress import WAITING, Progress, listener

FRAME_LINES = 3
"""Lines of a terminal that are not for steps: the line above them, and the place of the cursor."""


@contextmanager
def showing_progress(console: Console) -> Generator[None]:
    """Show the news of every step while the block runs."""
    board = _Board()
    if not console.is_terminal:

        def print_line(news: Progress) -> None:
            if board.hear(news) and news.step and news.what != WAITING:
                console.print(f"{board.clock} {board.count:>7}  {_name(news)}: {news.what}", soft_wrap=True)

        token = listener.set(print_line)
        try:
            yield
        finally:
            listener.reset(token)
        return
    with Live(get_renderable=lambda: board.picture(console.height - FRAME_LINES), console=console, refresh_per_second=4):
        token = listener.set(board.hear)
        try:
            yield
        finally:
            listener.reset(token)


@dataclass
class _Board:
    """The last news of every step, by part and name, in the order of their first news."""

    _begun: float = field(default_factory=monotonic)
    _parts: dict[str, dict[str, Progress]] = field(default_factory=dict[str, dict[str, Progress]])

    def hear(self, news: Progress) -> bool:
        """Keep a piece of news; returns True if it changes anything. One without a step's name is about a part with steps not known yet."""
        steps = self._parts.setdefault(news.part, {})
        if news.step:
            steps.pop("", None)
        known = steps.get(news.step)
        steps[news.step] = news
        return known is None or (known.what, known.over) != (news.what, news.over)

    @property
    def clock(self) -> str:
        """Minutes and seconds since the beginning."""
        minutes, seconds = divmod(int(monotonic() - self._begun), 60)
        return f"{minutes:2}:{seconds:02}"

    @property
    def count(self) -> str:
        """Number of steps that are over, of all that are known, such as `2/5`; with a plus while there will be more."""
        steps, unknown = self._steps()
        return f"{sum(one.over for one in steps)}/{len(steps)}{'+' * bool(unknown)}"

    def picture(self, lines: int) -> Group:
        """Picture on a terminal: a summary above a line for each step, or for each that is under way if there is no room for all."""
        steps, unknown = self._steps()
        left = [one for one in steps if not one.over]
        rows = [one for steps in list(self._parts.values()) for one in list(steps.values())]
        if len(rows) > lines:
            rows = [one for one in rows if not one.over and one.what != WAITING][: max(lines, 1)]
        table = Table.grid(padding=(0, 2))
        for one in rows:
            bar = ProgressBar(total=100, completed=100 if one.over else one.percent or 0, width=24)
            table.add_row(f"  {_name(one)}", bar, one.what.partition("\n")[0])
        told = [f"{self.clock}  {len(steps) - len(left)} of {len(steps)} done", f"{len(left)} to go"]
        told += [f"then {' and '.join(unknown)}"] * bool(unknown)
        return Group(Text(", ".join(told), style="bold"), table)

    def _steps(self) -> tuple[list[Progress], list[str]]:
        """All steps, and the parts whose steps are not known yet."""
        steps = [one for steps in list(self._parts.values()) for one in list(steps.values()) if one.step]
        return steps, [part for part, steps in list(self._parts.items()) if "" in steps]


def _name(news: Progress) -> str:
    return " ".join(filter(None, (news.part, news.step)))
