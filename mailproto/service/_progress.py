"""Shows how far a command has come: a bar on a terminal, and lines from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

from mailproto.service._queue_text import in_octets

__all__ = ["ShownProgress"]

SECONDS: Final = 10.0
"""Between two lines."""


class ShownProgress:
    """A context manager that shows progress on standard error, and nothing of it afterwards on a terminal.

    :param what: what is counted, such as ``messages``.
    :param quiet: True to show nothing.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self._what = what
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            # Imported here, because it takes a while, and most commands show none.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(self._what, markup=False),
                TextColumn("{task.fields[octets]}", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, octets="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, total: int, octets: int = 0, total_octets: int = 0) -> None:
        """Show how many of how many are done, and how many octets of how many if they are counted."""
        size = f"{in_octets(octets)} of {in_octets(total_octets)}" if total_octets else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, octets=size)
        elif not self._quiet and time.monotonic() - self._last >= SECONDS:
            self._last = time.monotonic()
            print(f"{done} of {total} {self._what}{size and ', '}{size}", file=sys.stderr, flush=True)
