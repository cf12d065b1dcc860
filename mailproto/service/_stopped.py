"""The end of a command by a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.task import react

__all__ = ["run_command"]


def run_command(run: Callable[[Any], Coroutine[Any, Any, None]]) -> NoReturn:
    """Run ``run`` with the reactor, and end the process, with its exit status.

    Twisted ends with status 0 when Ctrl-C or SIGTERM stops the reactor, as if all were done.  Here the
    status is that of a shell, 128 and the signal's number, if ``run`` has not come to its end.

    :raises SystemExit: always.
    """
    stopped_by: list[int] = []
    is_done = False

    async def until_done(reactor: Any) -> None:
        nonlocal is_done
        reactor.callWhenRunning(_note_signals, stopped_by)
        try:
            await run(reactor)
        finally:
            is_done = not stopped_by

    try:
        react(lambda reactor: Deferred.fromCoroutine(until_done(reactor)))
    finally:
        if stopped_by and not is_done:
            name = signal.Signals(stopped_by[0]).name
            print(f"mailproto: stopped by {name}, before all was done", file=sys.stderr)
            sys.exit(128 + stopped_by[0])


def _note_signals(stopped_by: list[int]) -> None:
    """Remember which signal stops the reactor."""
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if not callable(before):
            continue  # it is ignored, or ends the process at once

        def stop(
            number: int, frame: FrameType | None, before: Callable[[int, FrameType | None], Any] = before
        ) -> None:
            stopped_by.append(number)
            before(number, frame)

        signal.signal(number, stop)
