"""Live progress on a terminal, plain lines in a pipe."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from genmedia.progress import Progress, listener


@contextmanager
def showing_progress(console: Console) -> Generator[None]:
    """Show the news of every step while the block runs."""
    news: dict[str, Progress] = {}
    if not console.is_terminal:
        last: dict[str, str] = {}

        def print_line(progress: Progress) -> None:
            if last.get(progress.step) != progress.what:
                last[progress.step] = progress.what
                console.print(f"{progress.step}: {progress.what}", highlight=False, markup=False)

        token = listener.set(print_line)
        try:
            yield
        finally:
            listener.reset(token)
        return
    with Live(_picture(news), console=console, refresh_per_second=8) as live:

        def redraw(progress: Progress) -> None:
            news[progress.step] = progress
            live.update(_picture(news))

        token = listener.set(redraw)
        try:
            yield
        finally:
            listener.reset(token)


def _picture(news: dict[str, Progress]) -> Table:
    table = Table.grid(padding=(0, 2))
    for progress in news.values():
        bar = ProgressBar(total=100, completed=progress.percent or 0, width=24)
        table.add_row(f"  {progress.step}", bar, progress.what.splitlines()[0])
    return table
