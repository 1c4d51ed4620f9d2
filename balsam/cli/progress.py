"""A progress bar for what takes longer than a second, shown to people only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: What is done sooner needs no bar.
PATIENCE_SEC = 1.0


class Bar:
    """Counts what is done; draws itself once `PATIENCE_SEC` have passed, if stderr is a terminal."""

    def __init__(self, label: str, total: int, clock: Callable[[], float]) -> None:
        self._label = label
        self._total = total
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._drawn: tuple[Progress, TaskID] | None = None
        self._is_watched = sys.stderr.isatty() and sys.stdout.isatty()

    @property
    def is_drawn(self) -> bool:
        """The bar is on the screen."""
        return self._drawn is not None

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more as done."""
        self._done += count
        if self._drawn is None and self._is_watched and self._clock() - self._started >= PATIENCE_SEC:
            self._drawn = self._draw()
        if self._drawn is not None:
            progress, task = self._drawn
            progress.update(task, completed=self._done)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._drawn is not None:
            self._drawn[0].stop()

    def _draw(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        progress.start()
        return progress, progress.add_task(self._label, total=self._total)


@contextmanager
def progress_bar(label: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Bar]:
    """Give a bar to `Bar.advance`; it is closed at the end, come what may."""
    bar = Bar(label, total, clock)
    try:
        yield bar
    finally:
        bar.close()
