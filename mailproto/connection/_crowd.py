"""Calls what many connections have to do at the same time, such as telling of one change that all may see."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mailproto._logger import PackageLogger
from mailproto.connection._line import TURN, line_of
from mailproto.typing import ReactorTime

__all__ = ["Crowd"]


class Crowd:
    """Many who would wait in the line one by one, each for some microseconds of work, have one place in it.

    A coroutine and a place for each of a thousand connections cost more than the work.

    :param clock: the reactor.
    """

    _log = PackageLogger()

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self._line = line_of(clock)
        self._waiting: deque[Callable[[], object]] = deque()

    def add(self, call: Callable[[], object]) -> None:
        """Call now if there is time and no other call waits, or else after those that wait."""
        if self._waiting:
            self._waiting.append(call)
            return
        line, now = self._line, self._clock.seconds()
        line.end = line.end or now + TURN  # the line was not needed before
        if line.input_waits or not line.has_time(now, now):
            self._waiting.append(call)
            line.wait(self._serve, is_stranger=False)
        else:
            self._call(call)

    def _call(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self._log.failure("error in what a connection has to do")

    def _serve(self) -> None:
        """Call them until the time of this place in the line is up."""
        line, waiting, seconds = self._line, self._waiting, self._clock.seconds
        end = line.end
        while waiting:
            self._call(waiting[0])
            waiting.popleft()  # only now, so that `add` sees that we wait already
            if seconds() >= end:
                break
        if waiting:
            line.wait(self._serve, is_stranger=False)
